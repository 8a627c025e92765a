"""Who may come in: what every request passes before Gradio sees it."""
