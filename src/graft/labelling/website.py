"""The page's routes, on FastAPI: what comes in is checked by its models."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, Field

from graft.errors import GraftError, PictureError
from graft.labelling.desk import GRID, Desk, RefusedError, Said
from graft.labelling.doorkeeper import Doorkeeper
from graft.labelling.looks import LARGE, SMALL, Beside, Looks

_PAGES = Environment(
    loader=PackageLoader("graft.labelling"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
_Text = Annotated[str, Field(max_length=500)]


class View(BaseModel):
    """Whose page it is, and what it shows; every request brings it, every answer shows it."""

    name: _Text
    view: Annotated[str, Field(pattern="^(one|grid|disputed)$")] = "one"
    group: _Text = ""


class OnePicture(BaseModel):
    """What is said of one picture."""

    row: int
    action: _Text
    new_label: _Text = ""


class Answers(View):
    """Answers of one person."""

    answers: Annotated[list[OnePicture], Field(min_length=1, max_length=GRID)]
    left_out: Annotated[list[int], Field(max_length=GRID)] = []
    seen: Annotated[list[_Text], Field(max_length=1000)] = []
    settles: bool = False
    is_new: bool = False


class Skip(View):
    """Pictures that are put off."""

    rows: Annotated[list[int], Field(max_length=GRID)]


def create_website(
    desk: Desk, looks: Looks, beside: Beside, title: str, hint: str, name: str, token: str
) -> FastAPI:
    """The application.

    Args:
        desk: Takes the answers.
        looks: Has the pictures.
        beside: Has what stands beside them.
        title: Of the page.
        hint: What more labels would gain, in a sentence; may be empty.
        name: Of whoever opens it without ``?name=``.
        token: First part of every path.
    """
    app = FastAPI(title="Graft labels", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Doorkeeper, token=token)
    # The service's style and its heat maps, and this page's own.
    for place, package in (("style", "graft.serving"), ("static", "graft.labelling")):
        app.mount(f"/{place}", StaticFiles(packages=[(package, "static")]), place)
    _add_refusals(app)

    @app.get("/", response_class=HTMLResponse)
    def show_page() -> HTMLResponse:
        about = {"title": title, "hint": hint, "name": name, "about_labels": desk.about_labels}
        return HTMLResponse(_PAGES.get_template("label.html").render(about))

    @app.post("/show")
    def show(view: View) -> dict[str, Any]:
        return desk.show(view.name, view.view, view.group)

    @app.post("/answer")
    def answer(sent: Answers) -> dict[str, Any]:
        said = [Said(one.row, one.action, one.new_label) for one in sent.answers]
        desk.answer(sent.name, said, sent.seen, settles=sent.settles, is_new=sent.is_new)
        desk.skip(sent.name, sent.left_out)
        return desk.show(sent.name, sent.view, sent.group)

    @app.post("/skip")
    def skip(sent: Skip) -> dict[str, Any]:
        desk.skip(sent.name, sent.rows)
        return desk.show(sent.name, sent.view, sent.group)

    @app.post("/undo")
    def undo(view: View) -> dict[str, Any]:
        taken = desk.undo(view.name)
        return desk.show(view.name, view.view, view.group) | {"taken_back": taken}

    @app.get("/picture/{size}/{row}")
    def show_picture(size: str, row: int) -> Response:
        data = looks.take(row, SMALL if size == "small" else LARGE)
        # The address is this start's own, so a picture of it never becomes another one.
        return Response(data, media_type="image/jpeg")

    @app.post("/beside/{row}")
    def show_beside(row: int) -> dict[str, Any]:
        return beside.describe(looks.find_name(row))

    return app


def _add_refusals(app: FastAPI) -> None:
    """Give whatever a person can mend a status and a line."""

    @app.exception_handler(RefusedError)
    async def refuse(_: Request, error: RefusedError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, error.status)

    @app.exception_handler(GraftError)
    async def fail(_: Request, error: GraftError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 507)

    @app.exception_handler(PictureError)
    async def miss(_: Request, error: PictureError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 404)

    @app.exception_handler(RequestValidationError)
    async def correct(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"][1:]))
        return JSONResponse({"error": f"{place}: {first['msg']}"}, 422)
