import inspect
import sys

from nerface_ns.field_components import cpu_kernels


def test_interrupted_call_lets_go_of_the_lock(monkeypatch):
    """nerfstudio's viewer raises from a trace function, at whichever line a render thread has come to."""
    monkeypatch.setattr(cpu_kernels.numba, "njit", lambda **_: lambda function: function)
    calls: list[int] = []
    kernel = inspect.unwrap(cpu_kernels.parallel_kernel(calls.append))
    before, num_lines = sys.gettrace(), 0
    while True:
        num_left = num_lines

        def interrupt(frame, event, argument):
            nonlocal num_left
            num_left -= event == "line"
            if num_left < 0:
                raise InterruptedError
            return interrupt

        sys.settrace(interrupt)
        try:
            kernel(num_lines)
            is_interrupted = False
        except InterruptedError:
            is_interrupted = True
        finally:
            sys.settrace(before)
        assert not cpu_kernels._KERNEL_LOCK.locked(), f"interrupted at line {num_lines}"
        if not is_interrupted:
            break
        num_lines += 1
    assert num_lines >= 3 and calls[-1] == num_lines
