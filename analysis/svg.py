"""Makes an SVG of matplotlib small, for a page: a tenth of its size, with the same look.

Coordinates have two decimals of a point and are relative to the one before; a style is a class; marks that follow each
other and look alike are the vertices of one path, drawn by an SVG marker; groups, names and metadata are gone.  Text
stays text, in a font as wide as the one that the figure was laid out with.
"""
import re
from html import escape
from xml.etree import ElementTree

SCALE = 100  # steps of a coordinate in one point
FONT = "DejaVu Sans,Verdana,sans-serif"  # Verdana is as wide; others are narrower, so that nothing overlaps
HREF = "{http://www.w3.org/1999/xlink}href"
AXIS = "matplotlib.axis"  # begins the name of the group of an axis
NAMES = "abcdefghijklmnopqrstuvwxyz"


def _steps(text):
    return [round(float(number) * SCALE) for number in text.split()]


def _join(steps):
    """Numbers that are so many steps, with the least of characters: 0.5 3 -3.25 is .5,3-3.25."""
    out = []
    for step in steps:
        number = f"{step / SCALE:.12g}"
        if abs(step) < SCALE:
            number = number.replace("0.", ".")
        apart = number[0] == "-" or number[0] == "." and out and "." in out[-1]
        out.append(number if apart or not out else "," + number)
    return "".join(out)


def path_data(text):
    """What d= of a path says in absolute coordinates, in relative ones."""
    out, last, here, first = [], "", [0, 0], [0, 0]
    for command, numbers in re.findall("([A-Za-z])([^A-Za-z]*)", text):
        if command in "zZ":
            out.append("z")
            last, here = "z", first
            continue
        steps = _steps(numbers)
        if command == "M":
            out.append("M" + _join(steps))
            first = steps
        else:
            relative = _join([step - here[i % 2] for i, step in enumerate(steps)])
            letter = command.lower() if command != last else "" if relative.startswith("-") else ","
            out.append(letter + relative)
        last, here = command, steps[-2:]
    return "".join(out)


def _style(element):
    pairs = (part.split(":", 1) for part in element.get("style", "").split(";") if ":" in part)
    return {name.strip(): value.strip() for name, value in pairs}


class _Small:
    def __init__(self, root):
        self.named = {element.get("id"): element for element in root.iter() if element.get("id")}
        self.classes, self.names, self.definitions, self.body = {}, {}, [], []

    def name(self, kind, what):
        """A short name of a thing of a kind, the same for the same thing."""
        known = self.names.setdefault(kind, {})
        return known.setdefault(what, kind + str(len(known)))

    def class_of(self, style):
        """The class of a style; a new one where no element had it."""
        text = ";".join(f"{name}:{self.reference(value)}" for name, value in style.items())
        return self.rule(re.sub("'?DejaVu Sans'?.*?(;|$)", FONT + r"\1", text))

    def rule(self, text):
        """The class whose rule is this text."""
        n = len(self.classes)
        return self.classes.setdefault(text, NAMES[n % 26] + (str(n // 26) if n >= 26 else ""))

    def reference(self, value):
        """A value with the names of what it refers to made short, which is defined at its first use."""
        found = re.fullmatch(r"url\(#(.*)\)", value)
        if not found:
            return value
        new = found[1] not in self.names.get("p", {})
        short = self.name("p", found[1])
        if new:
            self.define(self.named[found[1]], short)
        return f"url(#{short})"

    def define(self, element, short):
        """A clip path or a pattern."""
        inside = "".join(self.plain(child) for child in element)
        self.definitions.append(self.tag(element, {"id": short}, inside))

    def tag(self, element, more, inside):
        """An element as it is, but for its name, its style and the size of its numbers."""
        values = {}
        for key, value in element.items():
            if key == "d":
                values[key] = path_data(value)
            elif key in ("x", "y", "width", "height"):
                values[key] = _join(_steps(value))
            elif key == "transform":
                turned = re.sub(r"-?\d+\.\d{3,}", lambda number: _join(_steps(number[0])), value)
                if not turned.startswith("rotate(-0 "):
                    values[key] = turned
            elif key == HREF:
                values["href"] = value
            elif key not in ("id", "style"):
                values[key] = self.reference(value)
        style = _style(element)
        if style:
            values["class"] = self.class_of(style)
        name = element.tag.split("}")[1]
        text = "".join(f' {key}="{escape(value)}"' for key, value in {**more, **values}.items())
        return f"<{name}{text}>{inside}</{name}>" if inside else f"<{name}{text}/>"

    def plain(self, element):
        """An element with all that is in it."""
        inside = escape(element.text.strip("\n") if element.text and element.text.strip() else "", quote=False)
        return self.tag(element, {}, inside + "".join(self.plain(child) for child in element))

    def leaves(self, element, clip=None):
        """(what is drawn, what clips it) in the order of drawing; of an axis the ticks first, then its text."""
        kind = element.tag.split("}")[1]
        if kind in ("defs", "metadata"):
            return []
        clip = element.get("clip-path", clip)
        if kind not in ("svg", "g") or element.get("transform"):
            return [(element, clip)]
        found = [leaf for child in element for leaf in self.leaves(child, clip)]
        if element.get("id", "").startswith(AXIS):
            found.sort(key=lambda leaf: leaf[0].get(HREF, "~"))
        return found

    def marks(self, href, style, clip, places):
        """Marks of one look, as the vertices of one path."""
        shape = self.named[href[1:]]
        look = self.class_of({**style, **_style(shape)})
        new = (href, look) not in self.names.get("m", {})
        short = self.name("m", (href, look))
        if new:
            self.definitions.append(f'<marker id="{short}" markerUnits="userSpaceOnUse" overflow="visible">'
                                    f'<path class="{look}" d="{path_data(shape.get("d"))}"/></marker>')
        track = self.rule(f"fill:none;marker{'-start' if len(places) == 1 else ''}:url(#{short})")
        line = path_data("M" + "L".join(f"{x / SCALE:.12g} {y / SCALE:.12g}" for x, y in places))
        clipped = f' clip-path="{self.reference(clip)}"' if clip else ""
        return f'<path class="{track}"{clipped} d="{line}{"h0" if len(places) == 1 else ""}"/>'

    def draw(self, root):
        """All that is drawn, as text."""
        out, run, key = [], [], None

        def end():
            if run:
                href, style, clip = key
                out.append(self.marks(href, dict(style), clip, run))
                run.clear()

        for element, clip in self.leaves(root):
            if element.tag.endswith("}use"):
                mine = (element.get(HREF), tuple(_style(element).items()), clip)
                if mine != key:
                    end()
                    key = mine
                run.append(tuple(_steps(f"{element.get('x', 0)} {element.get('y', 0)}")))
                continue
            end()
            if clip:
                element.set("clip-path", clip)
            out.append(self.plain(element))
        end()
        return "".join(out)


def small(text):
    """The SVG of matplotlib with the look that it has and a small part of its size."""
    root = ElementTree.fromstring(text)
    svg = _Small(root)
    body = svg.draw(root)
    rules = "*{stroke-linejoin:round;stroke-linecap:butt}" + "".join(f".{k}{{{v}}}" for v, k in svg.classes.items())
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{root.get("viewBox")}"><style>{rules}</style>'
            f'<defs>{"".join(svg.definitions)}</defs>{body}</svg>')
