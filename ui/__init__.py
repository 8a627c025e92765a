"""The app's pages: the only room that knows Gradio. One file a tab; `layout` puts them together."""

from ui.no_stubs import import_gradio

import_gradio()
