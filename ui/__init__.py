"""The app's pages: the only room that knows Gradio. A folder a tab; `layout` puts them together.

What lies beside the folders is what several tabs share.
"""

from ui.no_stubs import import_gradio

import_gradio()
