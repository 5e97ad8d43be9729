"""Every code block of the documents, run page by page: ``blocks`` finds them, ``shell`` and ``tables`` run what is
not Python, ``given`` makes what a page takes for granted."""
