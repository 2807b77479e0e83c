"""The review web app: people compare answers in a browser, and every label goes into the run.

`Review` is one run under review, `create_app` the web application around it, `serve` a server
that offers it. `Review` needs nothing beyond the core packages; the other two need the extra
`review`.
"""
