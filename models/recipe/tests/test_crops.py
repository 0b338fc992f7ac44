from PIL import Image

from recipe import crops


def test_tiles_cover_the_long_side_as_the_runtime_s_do():
    def lefts(size):
        return [box[0] for box in crops.MODES["tiles"](size)]

    assert lefts((300, 300)) == [0]
    assert lefts((1920, 1080)) == [0, 840]
    assert lefts((500, 200)) == [0, 150, 300]
    assert lefts((1000, 100)) == [0, 300, 600, 900]
    assert [box[1] for box in crops.MODES["tiles"]((100, 150))] == [0, 50]


def test_two_scenes_lie_side_by_side():
    frame = crops._two_scenes(Image.new("RGB", (40, 30), "red"), Image.new("RGB", (30, 40), "blue"), (64, 36))
    assert frame.size == (64, 36)
    assert frame.crop((0, 0, 32, 36)).getcolors() == [(32 * 36, (255, 0, 0))]
    assert frame.crop((32, 0, 64, 36)).getcolors() == [(32 * 36, (0, 0, 255))]
