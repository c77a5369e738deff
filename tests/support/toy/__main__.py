"""`python -m tests.support.toy`: a consumer with the toy registered like any other type."""

from container.consumer.composition import compose
from container.consumer.settings import read_settings
from tests.support.toy.registrations import RULES, WORKER

consumer = compose(read_settings(), engines=WORKER, runtime_types=RULES)
consumer.shutdown.install()
consumer.worker.run()
