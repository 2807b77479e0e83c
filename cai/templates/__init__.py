"""Prompt templates: the text of every request, kept in `prompts/<stage>/<name>.jinja`.

A template is YAML front matter and then messages:

```
---
version: 1.0.0
stage: critique
inputs: [conversation, response, principle]
output: text
---
<<system>>
You review answers.
<<user>>
{{ conversation }} …
```

A line `<<system>>`, `<<user>>` or `<<assistant>>` opens a message, `<<conversation>>` stands for
the messages of the prompt themselves. The source is cut into messages *before* anything is
substituted, and every value is substituted once, so untrusted text can neither open a message nor
run as a template. Leading messages without variables are the same in all requests of the stage;
engines are told how many there are and may compute them once.
"""

from cai.quoting import neutralise
from cai.templates.parse import load_template, parse_template
from cai.templates.template import Template, transcript

__all__ = ["Template", "load_template", "neutralise", "parse_template", "transcript"]
