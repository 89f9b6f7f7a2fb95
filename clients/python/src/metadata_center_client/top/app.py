# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The screen of `top`: three tables, or one at a time where the terminal is small. Belongs to the app's loop."""

from __future__ import annotations

from time import monotonic
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import Resize
from textual.screen import ModalScreen
from textual.widgets import DataTable, Input, Static

from metadata_center_client.top.picture import NoPicture, Picture, PictureReader
from metadata_center_client.top.table import (
    BAR_WIDTH,
    CLUSTERS,
    ENGINES,
    GATEWAYS,
    PEERS,
    Sorting,
    Table,
    arranged,
    bar,
    name_width,
    plain,
    short,
    shown,
    trend,
    with_bars,
)

WIDE, HIGH = 110, 30  # from this size on all tables are shown at once
MARK = "▸"  # before the title of the table in use
BARS = "bars"
KEYS = "enter open  esc back  / filter  < > sort  r reverse  p pause  ? help  q quit"
KEYS_IN_FILTER = "enter keep the filter  esc clear it"
NOTICES = 3  # lines about nodes that are away
IN_FILTER = frozenset({"enter", "leave", "next", "help_quit"})  # what keys do while a filter is typed
ASKING = "Asking the nodes…"
HELP = """\
 up, down, page up, page down   move
 enter                          open the cluster
 escape                         back to all clusters; clear the filter
 tab, 1, 2, 3                   clusters or engines, gateways, peers
 < and >                        sort by another column
 r                              reverse the order
 /                              show only rows that hold a text
 p                              pause; go on
 q, control c                   quit

 in flight   requests that were started and have not ended
 prefill     those before their first token; prompt: their length
 tokens      held by requests in flight, where gateways report them
 orphans     requests whose gateway has fallen silent
 behind      for how long a peer has lacked what this node knows

 Any key closes this page."""


class Help(ModalScreen[None]):
    """The page of keys and words."""

    def compose(self) -> ComposeResult:
        yield Static(HELP, id="help")

    def on_key(self) -> None:
        if self.is_current:  # two keys may come at once
            self.dismiss()


class Pane(Container):
    """One table with its title.

    `table`: its columns.
    `place`: which of the tables it is, from 0.
    `sorting`: how it is sorted.
    `tabs`: the names of all tables, if it is the only one that is shown; else empty.
    """

    def __init__(self, table: Table, place: int) -> None:
        super().__init__(id=f"pane-{place}", classes="pane")
        self.table = table
        self.place = place
        self.sorting = Sorting(table.order)
        self.tabs: list[str] = []
        self._rows: list[Any] = []
        self._names: list[str] = []  # of the rows that are drawn
        self._total = 0
        self._note = ""
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield Static(classes="title", markup=False)
        yield Static(classes="note", markup=False)
        grid: DataTable[Text] = DataTable(cursor_type="row", cell_padding=0, zebra_stripes=False)
        yield grid

    @property
    def grid(self) -> DataTable[Text]:
        return self.query_one(DataTable)

    def change(self, table: Table) -> None:
        """Show another table from now on."""
        if table is not self.table:
            self.table, self.sorting, self._rows = table, Sorting(table.order), []

    def show(self, rows: list[Any], words: str, note: str = "") -> None:
        """Show the rows that hold `words`; instead of them `note`, if there is one."""
        self._rows = arranged(self.table, rows, self.sorting, words)
        self._total = len(rows)
        hidden = "No row holds the filter's text." if words else self.table.empty
        self._note = note or ("" if self._rows else hidden)
        self.draw()

    def draw(self) -> None:
        """Draw the rows at the pane's width."""
        width = self.size.width - 1  # of the scroll bar
        if width <= 1:
            return
        grid, places, bars = self.grid, shown(self.table, width), with_bars(self.table, width)
        number = f"{len(self._rows)} of {self._total}" if len(self._rows) < self._total else f"{self._total}"
        mark = MARK if self.has_class("open") else " "
        titles = [f" {place} {name}" for place, name in enumerate(self.tabs, start=1)] or [""] * (self.place + 1)
        titles[self.place] = f"{mark}{self.place + 1} {self.table.name} ({number})"
        self.query_one(".title", Static).update("  ".join(filter(None, titles)))
        note = self.query_one(".note", Static)
        note.update(plain(self._note))
        note.display = bool(self._note)
        kept, top = self.chosen, grid.scroll_y
        head = (self.table, self.sorting, width)
        if head != self._drawn:
            self._drawn = head
            grid.clear(columns=True)
            for place in places:
                grid.add_column(self._head(place, width), width=self._width(place, width), key=str(place))
            if bars:
                grid.add_column(Text(" of the busiest"), width=BAR_WIDTH, key=BARS)
        else:
            grid.clear()
        most = max((getattr(row, self.table.bar) for row in self._rows), default=0) if bars else 0
        for row in self._rows:
            cells = [self._cell(row, place, width) for place in places]
            if bars:
                cells.append(Text(" " + bar(getattr(row, self.table.bar), most)))
            grid.add_row(*cells)
        self._names = [self.table.columns[0].text(row) for row in self._rows]
        if kept in self._names:
            grid.move_cursor(row=self._names.index(kept), animate=False, scroll=False)
        grid.scroll_to(y=top, animate=False, immediate=True)

    @property
    def chosen(self) -> str:
        """The name of the row under the cursor; empty if there is none."""
        at = self.grid.cursor_row
        return self._names[at] if 0 <= at < len(self._names) else ""

    def sort(self, step: int) -> None:
        """Sort by another column."""
        places = shown(self.table, self.size.width - 1)
        now = places.index(self.sorting.column) if self.sorting.column in places else 0
        self.sorting = Sorting(places[(now + step) % len(places)])

    def sort_by(self, column: int) -> None:
        """Sort by a column; reverse the order if it is sorted by that already."""
        same = column == self.sorting.column
        self.sorting = Sorting(column, not self.sorting.reverse if same else False)

    def _width(self, place: int, width: int) -> int:
        return self.table.columns[place].width or name_width(self.table, width)

    def _head(self, place: int, width: int) -> Text:
        column = self.table.columns[place]
        mark = ("▲" if self.sorting.reverse else "▼") if place == self.sorting.column else ""
        return Text(self._fit(mark + column.title, place, width), no_wrap=True)

    def _cell(self, row: Any, place: int, width: int) -> Text:
        return Text(self._fit(self.table.columns[place].text(row), place, width), no_wrap=True)

    def _fit(self, text: str, place: int, width: int) -> str:
        column, room = self.table.columns[place], self._width(place, width)
        text = plain(text)
        if len(text) > room - (place > 0):
            text = text[: room - 1 - (place > 0)] + "…"
        words = column.value is column.text
        return (" " * (place > 0) + text).ljust(room) if words else text.rjust(room)


class TopApp(App[None]):
    """The live view.

    `reader`: reads the pictures.
    `every_seconds`: between two of them.
    `cluster`: the cluster that is open; empty: all of them.
    """

    CSS = """
    #head { height: auto; }
    #body { height: 1fr; layout: vertical; }
    .pane { height: 1fr; }
    .pane .title { text-style: bold; height: 1; }
    .pane:focus-within .title { text-style: bold reverse; }
    DataTable { height: 1fr; scrollbar-size-vertical: 1; }
    .note { height: auto; padding: 1 2; }
    .one .pane { display: none; }
    .one .pane.open { display: block; }
    .all #body { layout: grid; grid-size: 2 2; grid-columns: 3fr 2fr; grid-gutter: 0 1; }
    .all #pane-0 { row-span: 2; }
    #keys { height: 1; text-style: reverse; }
    #filter { height: 1; border: none; padding: 0; }
    Help { align: center middle; }
    #help { width: auto; height: auto; border: solid; padding: 0 1; background: $surface; }
    """
    # All before the table in use: it would pass them on later, after a key that came behind them.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key, action, priority=True)
        for key, action in (
            ("q", "quit"),
            ("ctrl+c", "help_quit"),
            ("slash", "filter"),
            ("less_than_sign", "sort(-1)"),
            ("greater_than_sign", "sort(1)"),
            ("r", "reverse"),
            ("tab", "next"),
            ("shift+tab", "next(-1)"),
            ("1", "open_pane(0)"),
            ("2", "open_pane(1)"),
            ("3", "open_pane(2)"),
            ("enter", "enter"),
            ("escape", "leave"),
            ("p", "pause"),
            ("question_mark", "help"),
        )
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, reader: PictureReader, *, every_seconds: float = 1.0, cluster: str = "") -> None:
        super().__init__()
        self.reader = reader
        self.every_seconds = every_seconds
        self.cluster = cluster
        self.words = ""
        self.paused = False
        self._picture: Picture | None = None
        self._failure: NoPicture | None = None
        self._reading = False
        # Held, not looked for: while help is shown it is the screen, and has none of these.
        self._about_all = Static(id="head", markup=False)
        self._panes = (Pane(ENGINES if cluster else CLUSTERS, 0), Pane(GATEWAYS, 1), Pane(PEERS, 2))
        self._filtered = self._panes[0]
        self._line = Input(id="filter", placeholder="The text that rows must hold")
        self._keys = Static(KEYS, id="keys", markup=False)

    def compose(self) -> ComposeResult:
        yield self._about_all
        with Container(id="body"):
            yield from self._panes
        self._line.can_focus = self._line.display = False
        yield self._line
        yield self._keys

    async def on_mount(self) -> None:
        self._lay_out(self.size.width, self.size.height)
        self.action_open_pane(0)
        self.set_interval(self.every_seconds, self._read)
        self._read()

    async def on_unmount(self) -> None:
        await self.reader.close()

    def on_resize(self, event: Resize) -> None:
        self._lay_out(event.size.width, event.size.height)
        self.call_after_refresh(self.draw)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        pane = event.data_table.parent
        if isinstance(pane, Pane):
            self._open_row(pane)

    def on_data_table_header_selected(self, event: DataTable.HeaderSelected) -> None:
        pane = event.data_table.parent
        if isinstance(pane, Pane):
            key = str(event.column_key.value)
            pane.sort_by(pane.table.order if key == BARS else int(key))
            self.draw()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.words = event.value
        self.draw()

    def _read(self) -> None:
        """Read a picture beside the keys: they do not wait for the nodes, and neither does the end."""
        self.run_worker(self.refresh_picture())

    async def refresh_picture(self) -> None:
        """Read a new picture, unless one is being read or the view is paused and shows one."""
        held = self.paused and self._picture is not None
        if held or self._reading or not self.is_running:
            return
        self._reading = True
        try:
            picture = await self.reader.read(self.cluster)
        except NoPicture as failure:
            self._failure = failure
        else:
            self._failure = None
            if picture.cluster == self.cluster:
                self._picture = picture
        finally:
            self._reading = False
        if self._picture is None and self._failure is None:
            self._read()  # another cluster was opened meanwhile
        self.draw()

    def draw(self) -> None:
        """Draw the last picture."""
        if not self.is_running:
            return  # it was quit while the picture was read
        self._about_all.update(self._head())
        picture = self._picture
        if picture is None:
            return

        def refused(part: str) -> str:
            return f"Not shown: {picture.refused[part]}" if part in picture.refused else ""

        first, gateways, peers = self._panes
        first.change(ENGINES if self.cluster else CLUSTERS)
        rows: list[Any] = [*picture.engines] if self.cluster else [*picture.clusters]
        names = [first.table.name, GATEWAYS.name, PEERS.name]
        for pane in self._panes:
            pane.tabs = names if self.screen_stack[0].has_class("one") else []
        with self.batch_update():
            first.show(rows, self._words_of(first), refused("engines" if self.cluster else "clusters"))
            gateways.show([*picture.gateways], self._words_of(gateways), refused("gateways"))
            peers.show([*picture.peers], self._words_of(peers), refused("peers"))

    def _words_of(self, pane: Pane) -> str:
        """The filter, for the table that it was typed for."""
        return self.words if pane is self._filtered else ""

    # keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether a key does this now. While a filter is typed, most keys are its text."""
        return action in IN_FILTER or not self._line.can_focus

    def action_sort(self, step: int) -> None:
        """Sort the table in use by another column."""
        self._pane.sort(step)
        self.draw()

    def action_reverse(self) -> None:
        """Reverse the order of the table in use."""
        self._pane.sort_by(self._pane.sorting.column)
        self.draw()

    def action_open_pane(self, place: int) -> None:
        """Go to a table."""
        for pane in self._panes:
            pane.set_class(pane.place == place, "open")
        self._leave_line()
        self.call_after_refresh(self.draw)

    def action_next(self, step: int = 1) -> None:
        """Go to the next table."""
        self.action_open_pane((self._pane.place + step) % 3)

    def action_filter(self) -> None:
        """Go to the line for the filter of the table in use. At once: letters may come before a later focus would."""
        self._filtered = self._pane
        self._line.can_focus = self._line.display = True
        self._keys.update(KEYS_IN_FILTER)
        self.screen.set_focus(self._line)

    def action_enter(self) -> None:
        """Keep the filter; else open the cluster under the cursor."""
        if self._line.can_focus:
            self._leave_line()
        else:
            self._open_row(self._pane)

    def action_leave(self) -> None:
        """Clear the filter; else go back to all clusters."""
        if self.words or self._line.can_focus:
            self._line.value = ""
            self._leave_line()
        elif self.cluster:
            self._go("")

    def action_help_quit(self) -> None:
        """Quit. Textual would only say which key does."""
        self.exit()

    def action_pause(self) -> None:
        """Pause, or go on."""
        self.paused = not self.paused
        self.draw()

    def action_help(self) -> None:
        """Show the keys."""
        self.push_screen(Help())

    @property
    def _pane(self) -> Pane:
        return next(pane for pane in self._panes if pane.has_class("open"))

    def _leave_line(self) -> None:
        """Go to the table in use. The line has the focus only when asked for: Textual moves it by itself."""
        self._line.can_focus = self._line.display = False
        self._keys.update(KEYS)
        self.screen.set_focus(None)
        self.call_after_refresh(self._pane.grid.focus)

    def _open_row(self, pane: Pane) -> None:
        if pane.table is CLUSTERS and pane.chosen:
            self._go(pane.chosen)

    def _go(self, cluster: str) -> None:
        """Open a cluster, or all of them."""
        self.cluster = cluster
        self._picture = None
        self._line.value = ""
        first = self._panes[0]
        first.change(ENGINES if cluster else CLUSTERS)
        first.show([], "", ASKING)
        self.action_open_pane(0)
        self._read()

    def _lay_out(self, width: int, height: int) -> None:
        everything = width >= WIDE and height >= HIGH
        self.screen_stack[0].set_class(everything, "all")
        self.screen_stack[0].set_class(not everything, "one")

    def _head(self) -> Text:
        """What is shown, its sums, what is wrong, and the requests in flight of the last 15 minutes."""
        width = max(20, self.size.width)
        lines = map(plain, (self._about(), self._totals(), *self._notices(), self._trend(width)))
        cut = (line if len(line) <= width else line[: width - 1] + "…" for line in lines if line)
        return Text("\n".join(cut), no_wrap=True)

    def _about(self) -> str:
        where = f"cluster {self.cluster}" if self.cluster else "all clusters"
        words = [f"Metadata Center, {where}"]
        if self.paused:
            words.append("PAUSED")
        if self.words:
            words.append(f"filter: {self.words}")
        if self._picture is not None:
            words.append(f"node {self._picture.node}")
        words.append(f"every {self.every_seconds:g} s")
        return " · ".join(words)

    def _totals(self) -> str:
        picture = self._picture
        if picture is None:
            return ""
        rows: list[Any] = [*picture.engines] if self.cluster else [*picture.clusters]
        engines = len(picture.engines) if self.cluster else sum(row.engines for row in picture.clusters)

        def total(member: str) -> str:
            return short(sum(getattr(row, member) for row in rows))

        orphans = sum(row.orphaned_req_num for row in rows)
        numbers = (
            f"{short(engines)} engine{'s' * (engines != 1)}",
            f"{total('queued_req_num')} in flight",
            f"{total('prefill_req_num')} in prefill",
            f"{total('token_num')} tokens",
            f"{short(orphans)} orphan{'s' * (orphans != 1)}",
        )
        return " · ".join(numbers)

    def _notices(self) -> list[str]:
        """What is wrong, or missing, a line each."""
        picture = self._picture
        if self._failure is not None:
            old = "" if picture is None else f" These numbers are {monotonic() - picture.read_at:.0f} s old."
            away, first = self._failure.failures, [f"No node answers.{old}"]
        else:
            away, first = self.reader.away, [ASKING] if picture is None else []
        lines = first + [f"{node} is away: {why}" for node, why in away.items()]
        if len(lines) > NOTICES:
            lines[NOTICES - 1 :] = [f"{len(lines) - NOTICES + 1} more nodes are away."]
        if self._failure is None and picture is not None and picture.standing.cold_since is not None:
            since = picture.standing.cold_since[11:16]
            lines.append(f"The node began at {since} UTC. It may lack requests that began before.")
        return lines

    def _trend(self, width: int) -> str:
        label = "in flight, 15 min "
        values = [] if self._picture is None else self._picture.trend
        return label + trend(values, width - len(label)) if values else ""
