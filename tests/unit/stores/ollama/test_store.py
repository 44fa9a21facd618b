"""Deletions on a server: never while another thread asks for manifests."""

from threading import Event, Thread

from modelfile.stores.ollama.store import _SharedLock


def test_a_deletion_waits_for_all_others_and_they_for_it() -> None:
    lock, order = _SharedLock(), list[str]()
    asked, answer, deleting, deleted = Event(), Event(), Event(), Event()

    def ask() -> None:
        with lock.shared(), lock.shared():
            asked.set()
            answer.wait()
            order.append("answer")

    def delete() -> None:
        asked.wait()
        with lock.exclusive():
            order.append("deletion")
            deleting.set()
            deleted.wait()

    def ask_again() -> None:
        deleting.wait()
        with lock.shared():
            order.append("next answer")

    threads = [Thread(target=each) for each in (ask, delete, ask_again)]
    for thread in threads:
        thread.start()
    asked.wait()
    answer.set()
    deleting.wait()
    order.append("end of the deletion")
    deleted.set()
    for thread in threads:
        thread.join()
    assert order == ["answer", "deletion", "end of the deletion", "next answer"]
