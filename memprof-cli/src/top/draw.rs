//! How a [`View`] looks: the same at every size, and whole in 80 columns and 24 lines.
//!
//! It changes nothing but the cells of the frame that it is given, and which row is uppermost; so a test draws into a
//! buffer. Names are drawn on one line, whatever they hold. What is shown is left to [`view`](super::view), the
//! terminal to [`screen`](super::screen).

use memprof_report::{one_line, thousands};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::{Line, Span},
    widgets::{Cell, Row as TableRow, Table, TableState},
};

use super::view::{Order, Row, View};

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const REVERSED: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Draws all of it. `table` keeps which row is uppermost from one picture to the next.
pub(crate) fn draw(frame: &mut Frame<'_>, view: &View, table: &mut TableState) {
    let lines = Constraint::Length(1);
    let several = Constraint::Length(u16::from(view.spaces().len() > 1));
    let [title, spaces, space, rows, trouble, details, keys] =
        Layout::vertical([lines, several, lines, Constraint::Min(1), lines, lines, lines]).areas(frame.area());
    frame.render_widget(self::title(view), title);
    frame.render_widget(self::spaces(view), spaces);
    frame.render_widget(self::space(view), space);
    let shown = view.rows();
    draw_table(frame, rows, view, &shown, table);
    frame.render_widget(Line::styled(one_line(view.trouble().unwrap_or_default()), BOLD), trouble);
    if view.now().is_some() {
        frame.render_widget(self::details(shown.get(view.selected())), details);
    }
    frame.render_widget(self::keys(view), keys);
}

/// Which process it is, where it was found and since when it runs.
fn title(view: &View) -> Line<'static> {
    let Some(now) = view.now() else {
        return Line::styled(format!("waiting for {}", view.source()), BOLD);
    };
    let process = now.process();
    let name = if process.program.is_empty() { "a program" } else { &process.program };
    let mut spans = vec![Span::styled(one_line(name), BOLD)];
    if process.pid > 0 {
        spans.push(Span::raw(format!(" (pid {})", process.pid)));
    }
    spans.push(Span::raw(format!(" at {}, after {}", one_line(view.source()), duration(process.seconds))));
    if view.is_paused() {
        spans.push(Span::raw("  "));
        spans.push(Span::styled(" PAUSED ", REVERSED));
    }
    Line::from(spans)
}

/// The spaces that there are, the one that is shown in relief.
fn spaces(view: &View) -> Line<'static> {
    let mut spans = vec![Span::raw("Tab:")];
    for space in view.spaces() {
        spans.push(Span::raw(" "));
        let style = if Some(space) == view.space() { REVERSED } else { Style::new() };
        spans.push(Span::styled(one_line(space), style));
    }
    Line::from(spans)
}

/// `host live 1.3 MiB (+4.0 KiB +1.2 MiB) peak 2.0 MiB resident 5.1 MiB of 512 MiB`: in brackets what grew since the last look and since the start.
fn space(view: &View) -> Line<'static> {
    let (Some(now), Some(space)) = (view.now(), view.space()) else {
        return Line::raw("nothing was measured yet; a program answers from its first scope on");
    };
    let (totals, (since_last, since_start)) = (now.totals(space), view.growth());
    let mut text = format!(
        " live {} ({} {}) peak {}",
        amount(totals.live.into()),
        growth(since_last),
        growth(since_start),
        amount(totals.peak.into())
    );
    if let Some(resident) = now.resident().filter(|_| space == "host") {
        text.push_str(" resident ");
        text.push_str(&amount(resident.now.into()));
        if let Some(limit) = resident.limit {
            text.push_str(" of ");
            text.push_str(&amount(limit.into()));
        }
    }
    Line::from(vec![Span::styled(one_line(space), BOLD), Span::raw(text)])
}

fn draw_table(frame: &mut Frame<'_>, area: Rect, view: &View, rows: &[Row], table: &mut TableState) {
    let (order, is_reversed) = view.order();
    let titles = Order::ALL.map(|column| {
        let mark = match (column == order, is_reversed) {
            (false, _) => "",
            (true, false) => "▼",
            (true, true) => "▲",
        };
        let title = format!("{mark}{}", column.title());
        let line = if column == Order::Name { Line::raw(title) } else { Line::raw(title).right_aligned() };
        Cell::from(if column == order { line.style(BOLD) } else { line })
    });
    let cells = rows.iter().map(|row| {
        let numbers = [
            amount(row.live.into()),
            growth(row.since_last),
            growth(row.since_start),
            row.peak.map_or_else(String::new, |peak| amount(peak.into())),
            row.calls.map_or_else(String::new, count),
        ];
        let cells = numbers.into_iter().map(|number| Cell::from(Line::raw(number).right_aligned()));
        TableRow::new(cells.chain([Cell::from(row.shown.clone())]))
    });
    let widths = [
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(9),
        Constraint::Min(10),
    ];
    let widget = Table::new(cells, widths).header(TableRow::new(titles).style(REVERSED)).row_highlight_style(REVERSED);
    table.select((!rows.is_empty()).then_some(view.selected()));
    frame.render_stateful_widget(widget, area, table);
}

/// The exact numbers of the selected row, and its whole name.
fn details(row: Option<&Row>) -> Line<'static> {
    let Some(row) = row else { return Line::styled("no row matches", DIM) };
    let blocks = if row.live_blocks == 1 { "block" } else { "blocks" };
    let peak = row.peak.map_or_else(String::new, |peak| format!("peak {}, ", thousands(peak)));
    let [live, count, total] = [row.live.into(), row.live_blocks.into(), i128::from(row.total)].map(thousands);
    Line::styled(format!("live {live} in {count} {blocks}, {peak}total {total}: {}", one_line(&row.name)), DIM)
}

/// What keys do; while a filter is written, the filter.
fn keys(view: &View) -> Line<'static> {
    if view.is_filtering() {
        return Line::raw(format!("/{}▏ Enter: keep it, Esc: all rows", one_line(view.filter())));
    }
    let filter = match view.filter() {
        "" => "/ filter".to_owned(),
        filter => format!("/{} (Esc: all)", one_line(filter)),
    };
    let pause = if view.is_paused() { "Space go on" } else { "Space pause" };
    Line::raw(format!("q quit  ↑↓ row  < > order  r reverse  {filter}  {pause}  0 count from now"))
}

/// `1.3 MiB`: three digits, and the unit. Less than 1,000 B are exact.
pub(crate) fn amount(bytes: i128) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let sign = if bytes < 0 { "-" } else { "" };
    let mut rest = bytes.unsigned_abs() * 10;
    if rest < 10_000 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    rest = (rest + 512) / 1024;
    while rest >= 10_000 && unit + 1 < UNITS.len() {
        rest = (rest + 512) / 1024;
        unit += 1;
    }
    let digits = if rest < 1_000 { format!("{}.{}", rest / 10, rest % 10) } else { (rest / 10).to_string() };
    format!("{sign}{digits} {}", UNITS[unit])
}

/// What came or went: with its sign, and `0` where nothing did.
fn growth(bytes: i64) -> String {
    match bytes {
        0 => "0".to_owned(),
        1.. => format!("+{}", amount(bytes.into())),
        _ => amount(bytes.into()),
    }
}

/// `12,345`, and from ten millions on `12.3M`.
fn count(number: u64) -> String {
    if number < 10_000_000 {
        return thousands(number).to_string();
    }
    let (mut tenths, mut unit) = (number / 100_000, 'M');
    if tenths >= 10_000 {
        (tenths, unit) = (number / 100_000_000, 'G');
    }
    format!("{}.{}{unit}", thousands(tenths / 10), tenths % 10)
}

/// `59 s`, `3 min 5 s`, `2 h 4 min`, `3 d 2 h`.
fn duration(seconds: f64) -> String {
    // Whole seconds, of a number that a file can say anything of.
    let seconds = std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (minutes, hours, days) {
        (0, ..) => format!("{seconds} s"),
        (_, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (_, _, 0) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests;
