// Light or dark: what the system says, unless the reader chose. Loaded before anything is drawn.
(() => {
  const KEY = "cai-theme";
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function stored() {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage can be switched off
    }
  }

  function show(theme) {
    root.dataset.theme = theme || (dark.matches ? "dark" : "light");
  }

  show(stored());
  dark.addEventListener("change", () => show(stored()));
  addEventListener("DOMContentLoaded", () => {
    document.getElementById("theme").addEventListener("click", () => {
      const chosen = root.dataset.theme === "dark" ? "light" : "dark";
      try {
        localStorage.setItem(KEY, chosen);
      } catch {
        // It then lasts as long as the page.
      }
      show(chosen);
    });
  });
})();
