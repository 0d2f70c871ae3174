from ptx.models.memory import Memory


def test_the_parts_of_a_peak_add_up_and_the_largest_come_first():
    memory = Memory({"weights": 2.0, "loss": 5.0, "optimizer": 4.0}, host={"libraries": 3.0})
    assert (memory.total, memory.host_total) == (11.0, 3.0)
    assert memory.largest(2) == [("loss", 5.0), ("optimizer", 4.0)]
