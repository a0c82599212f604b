"""pg8000: SQLAlchemy's sessions are observed by SQLAlchemy's events; those of a migration's own are refused."""


def hook(observer, module):
    from pg8000.core import CoreConnection

    made = CoreConnection.__init__

    def init(self, *args, **kwargs):
        if observer.out is not None and getattr(observer.busy, "connecting", None) is None:
            observer.refuse("unobserved", name="pg8000")
        return made(self, *args, **kwargs)

    CoreConnection.__init__ = init
