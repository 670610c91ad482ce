"""What stands in a hash of code: `forms.txt`, a piece of code and what is left of it at a time.

Names of modules are numbered, docstrings and imports of the package gone. What was changed on
purpose is read in the diff: `FORMS=write pytest -n 0 …`.
"""

from __future__ import annotations

import ast
from pathlib import Path

from kept import assert_kept
from mesodecode.running import provenance

FILE = Path(__file__).with_name("forms.txt")
MODULES = frozenset(
    f"mesodecode{rest}"
    for rest in ("", ".a", ".a.one", ".a.two", ".a.two.deep", ".b", ".b.one", ".b.other", ".c")
)
CODE = '''
"""A docstring of a module."""
"""A second one, which is none."""
from mesodecode.a import one, two as second
from mesodecode.a.one import f, g as h, Class
import json, mesodecode.c
one.x; second.y; f(); h(1); Class.z; mesodecode.c.w; json.dumps
----
import mesodecode.a.two.deep as deep
import mesodecode.b.one
import mesodecode
deep.f(mesodecode.b.one.g.h, mesodecode.a.two, mesodecode.a.two.deep.k, mesodecode.version)
----
import json, os.path as p
from pathlib import Path
from mesodecoder import x
from .near import y
json.loads(p, Path, x, y)
----
from mesodecode.a import one
def f(one, other=one.x) -> one.y:
    """Gone."""
    return one.x, other
async def g(x: one.z, *one, **k):
    return one.x
def h(x, *, two=one):
    """Only this."""
----
from mesodecode.a import one
@one.decorated
class A(one.Base, metaclass=one.Meta):
    """Gone."""
    one = one.x
    def f(self):
        return one.x
    y = [one for _ in (1, 2)]
@one.decorated
def k(): one.x
----
from mesodecode.a import one, two
[one.x for one in one.all]
{two.x: one for one, two in one.all for two in two.rest}
{one.x for y in two.all if (one := y)}
list(one.x + two.y for two in two.z)
lambda one, y=one.x: one.x + two.y
one.x; two.y
----
from mesodecode.b import one
def f():
    from mesodecode.a import one
    def g():
        return one.f
    return one.g
def h():
    one = 1
    return one.x
def i():
    def one(): pass
    return one.x
def j():
    class one: pass
    return one.x
def k():
    try:
        pass
    except ValueError as one:
        one.x
def m(x):
    match x:
        case [*one]: one.x
def n(x):
    match x:
        case one: one.x
def o(x):
    match x:
        case {"k": 1, **rest}: rest, one.x
def p():
    with open(x) as one: one.x
def q():
    for one in one: one.x
def r():
    (lambda one: one)
    [one for one in x], {one for one in x}, {one: 1 for one in x}, list(one for one in x)
    return one.x
----
if x:
    from mesodecode.a import one
else:
    import mesodecode.b
try:
    import mesodecode.c
except ImportError:
    from mesodecode.a import two
finally:
    from mesodecode.b import other
with x:
    import json, mesodecode.a
def f():
    """Words."""
    from mesodecode.b import one
one.x; two.x; other.x; mesodecode.a.x; mesodecode.c
----
from importlib import import_module
import importlib
import_module(f"mesodecode.a.{x}")
importlib.import_module(f"mesodecode.b.{x}")
import_module(f"numpy.{x}")
import_module(f"{x}.y")
import_module("mesodecode.c")
imported(f"mesodecode.c.{x}")
----
from mesodecode.a import one
one = one.x
one.y = 2
del one
one.x.y.z; x.one; x.one.y; f(one).y; one.x().one.y
----
from mesodecode.a.two import deep, missing
from mesodecode import c, version
from mesodecode.a import *
missing.x; deep.x; c.x; version; missing
'''


def form_of(code: str) -> str:
    parsed = provenance._parsed(code.encode(), MODULES)
    tree = provenance._Anonymous(MODULES).visit(ast.parse(code))
    assert parsed.text == provenance._sha256([ast.unparse(tree)])
    said = [f"used: {' '.join(parsed.used)}", f"imports: {' '.join(parsed.imports)}"]
    return "\n".join([code.strip(), "->", ast.unparse(tree), *said])


def test_forms_of_code_stand_as_text():
    forms = [form_of(code) for code in CODE.split("----\n")]
    assert_kept("\n\n----\n".join(forms) + "\n", FILE, "FORMS")
