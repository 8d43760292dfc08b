"""One value asked for under several names or shapes: every name gets an array of its own."""

import numpy as np

import graphc as gc


def test_outputs_that_are_one_value_are_separate_arrays():
    g = gc.Graph()
    x = g.input("x", ("N", 4))
    y = x + 1
    total = gc.sum(y)
    program = gc.compile({"a": y, "b": y, "flat": gc.reshape(y, (-1,)), "s": total, "t": total})
    for rows in (2, 3000):  # small results are copied out of a buffer, large ones are written in place
        array = np.arange(4 * rows, dtype="float32").reshape(rows, 4)
        found = program(x=array)
        for name in ("a", "b", "flat"):
            np.testing.assert_array_equal(found[name], (array + 1).reshape(found[name].shape))
        assert found["flat"].shape == (4 * rows,)
        assert found["s"] == found["t"] != 0
        found["a"][:] = 0
        assert found["b"].all()
        assert found["flat"].all()
