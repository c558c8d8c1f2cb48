"""The failure of a call for which there is nobody."""

import grpc


class NoInstance(grpc.RpcError, grpc.Call):
    """No live instance within the time to wait: UNAVAILABLE, and `details()` says what is missing."""

    def __init__(self, details: str):
        super().__init__(details)
        self._details = details

    def code(self):
        return grpc.StatusCode.UNAVAILABLE

    def details(self):
        return self._details

    def initial_metadata(self):
        return ()

    def trailing_metadata(self):
        return ()

    def is_active(self):
        return False

    def time_remaining(self):
        return None

    def cancel(self):
        return False

    def add_callback(self, callback):
        return False
