"""Drawing triangles into a depth buffer, band by band of rows."""

from __future__ import annotations

from sim.house.render.compiled import helper, inlined, leaf
from sim.house.render.triangles import TILE


@helper
def _span(value, step, first, last):
    """Columns between which value + step * column may be 0 or more; a pixel more on either side."""
    if step > 0.0:
        if value < 0.0:
            first = max(first, int(min(-value / step, 1e8)) - 1)
    elif value + step * last < 0.0:
        last = min(last, int(min(-value / step, 1e8)) + 1) if value >= 0.0 and step < 0.0 else first - 1
    return first, last


@helper
def _farthest(first, last, depth, far):
    """The least 1/z of each tile of a band, rows first..last, into far (tiles,)."""
    width = depth.shape[1]
    whole = width // TILE
    far[:] = 1e30
    for row in range(first, last + 1):
        line = depth[row]
        for tile in range(whole):
            least = line[tile * TILE]
            for k in range(1, TILE):
                least = min(least, line[tile * TILE + k])
            far[tile] = min(far[tile], least)
        for column in range(whole * TILE, width):
            far[whole] = min(far[whole], line[column])


@helper
def _may_show(left, right, nearest, far):
    """Whether a triangle may be the nearest anywhere in the tiles that it touches."""
    tile, last = left // TILE, right // TILE
    while tile < last and far[tile] > nearest:
        tile += 1
    return far[tile] <= nearest


@helper
def _fill(count, a, b, c, w, a_step, b_step, c_step, w_step, slot, faces, depth):
    """One triangle into a stretch of a row: written without branches, so that the compiler can vectorise it."""
    for k in range(count):
        z, old = w + w_step * k, depth[k]
        behind = (min(min(a + a_step * k, b + b_step * k), c + c_step * k) < 0.0) | (z <= old)
        depth[k] = old if behind else z
        faces[k] = faces[k] if behind else slot


@inlined
def _draw_row(e, slot, left, right, x, y, step, faces, depth):
    """One triangle into one row, columns left..right; how many it spans."""
    a_step, b_step, c_step, w_step = e[0] * step, e[3] * step, e[6] * step, e[9] * step
    a, b, c = e[0] * x + e[1] * y + e[2], e[3] * x + e[4] * y + e[5], e[6] * x + e[7] * y + e[8]
    w = e[9] * x + e[10] * y + e[11]
    count = right - left + 1
    if count > 7:
        begin, end = _span(a, a_step, 0, count - 1)
        begin, end = _span(b, b_step, begin, end)
        begin, end = _span(c, c_step, begin, end)
        begin = max(begin, 0)
        count = end - begin + 1
        if count > 7:
            left += begin
            a, b, c, w = a + a_step * begin, b + b_step * begin, c + c_step * begin, w + w_step * begin
            _fill(count, a, b, c, w, a_step, b_step, c_step, w_step, slot, faces[left:], depth[left:])
            return count
    else:
        begin = 0
    for k in range(begin, begin + count):
        if a + a_step * k >= 0.0 and b + b_step * k >= 0.0 and c + c_step * k >= 0.0:
            z = w + w_step * k
            if z > depth[left + k]:
                depth[left + k], faces[left + k] = z, slot
    return count


@inlined
def _resolve(first, last, setup, drawn, lens, faces, us, vs, depth):
    """From slots to triangles, from 1/z to z, and the weights of the corners; rows first..last.

    The three weights add up to 1/z before they are divided by it.
    """
    per_x = 1.0 / lens[0]
    for row in range(first, last + 1):
        y = (row - lens[3]) / lens[1]
        for column in range(faces.shape[1]):
            slot = faces[row, column]
            if slot >= 0:
                x = (column - lens[2]) * per_x
                e = setup[slot]
                z = 1.0 / depth[row, column]
                us[row, column] = (e[3] * x + e[4] * y + e[5]) * z
                vs[row, column] = (e[6] * x + e[7] * y + e[8]) * z
                depth[row, column] = z
                faces[row, column] = drawn[slot]


@leaf
def draw(
    start, stop, opening, closing, starts, counts, rows, setup, nearest, bounds, drawn, lens, far, faces, us, vs, depth
):
    """Things into bands start..stop-1 of the image: the nearest triangle of each pixel and its 1/z.

    Several calls draw one picture: the one with `opening` clears it first, the one with `closing` turns slots into
    triangles, 1/z into z-depth, and adds the weights. far (bands, tiles) holds the least 1/z of each tile, after as
    before.
    """
    height, width = faces.shape
    step = 1.0 / lens[0]
    for band in range(start, stop):
        first, last = band * TILE, min((band + 1) * TILE, height) - 1
        if opening:
            for row in range(first, last + 1):
                for column in range(width):
                    faces[row, column], depth[row, column] = -1, 0.0
            far[band, :] = 0.0
        fresh = 0
        for index in range(len(starts)):
            if rows[index, 1] < first or rows[index, 0] > last:
                continue
            for slot in range(starts[index], starts[index] + counts[index]):
                high, low = max(bounds[slot, 2], first), min(bounds[slot, 3], last)
                left, right = bounds[slot, 0], bounds[slot, 1]
                if high > low or not _may_show(left, right, nearest[slot], far[band]):
                    continue
                x = (left - lens[2]) * step
                for row in range(high, low + 1):
                    y = (row - lens[3]) / lens[1]
                    fresh += _draw_row(setup[slot], slot, left, right, x, y, step, faces[row], depth[row])
            if 1 * fresh > TILE * width:  # looked up anew when that costs less than what was drawn
                _farthest(first, last, depth, far[band])
                fresh = 0
        if closing:
            _resolve(first, last, setup, drawn, lens, faces, us, vs, depth)
        else:
            _farthest(first, last, depth, far[band])
