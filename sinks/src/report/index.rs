//! `index.html`: the run at a glance, and the list of the pages that are there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use jiff::civil::Date;

use super::accounts::Figures;
use super::charts;
use super::day::Summary;
use super::page::{GENERATOR, SUMMARY_META, open_document};
use crate::html::{
    Escaped, NOTHING, counted, grouped, money, percent, put, signed_money, signed_percent, tone,
};
use crate::{Error, Result};

/// Bytes at the start of a page within which its figures for the index stand.
const HEAD_BYTES_MAX: u64 = 1_024;
/// Most pages of one folder that are looked at.
const PAGES_MAX: usize = 10_000;

/// A page found on disk: what it says of itself for the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FoundPage {
    bankroll: String,
    issued: String,
    settled: String,
    clv: String,
}

/// The pages in a folder that are this sink's, by date. Other files are not looked at, and a file
/// with a date for a name that this sink did not write is not in the list.
pub(super) fn find_pages(folder: &Path) -> Result<BTreeMap<Date, FoundPage>> {
    let mut found = BTreeMap::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(Error::file("list", folder)(error)),
    };
    for entry in entries.take(PAGES_MAX) {
        let path = entry.map_err(Error::file("list", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(stem) = name.strip_suffix(".html").filter(|stem| stem.len() == 10) else {
            continue;
        };
        let Ok(date) = stem.parse::<Date>() else { continue };
        if let Some(page) = read_head(&path) {
            found.insert(date, page);
        }
    }
    Ok(found)
}

fn read_head(path: &Path) -> Option<FoundPage> {
    let mut head = Vec::new();
    fs::File::open(path).ok()?.take(HEAD_BYTES_MAX).read_to_end(&mut head).ok()?;
    let head = String::from_utf8_lossy(&head);
    if !head.contains(GENERATOR) {
        return None;
    }
    let figures = head.split_once(SUMMARY_META).and_then(|(_, rest)| rest.split_once('"'));
    let mut parts = figures.map_or("", |(figures, _)| figures).split('|').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    Some(FoundPage { bankroll: part(), issued: part(), settled: part(), clv: part() })
}

/// The index page: figures and bankroll of this run, then all pages, newest first.
pub(super) fn render(
    history: &[Summary],
    figures: &Figures,
    kept: &[Summary],
    found: &BTreeMap<Date, FoundPage>,
) -> String {
    let mut out = String::with_capacity(32 << 10);
    open_document(&mut out, "Daily Edge Report", "All days of the Daily Edge Report.", "");
    out.push_str(
        "<header class=\"top\"><p class=\"brand\"><b>Tideline</b> Daily Edge Report</p>\
         <h1>All days</h1>",
    );
    if let (Some(first), Some(last)) = (history.first(), history.last()) {
        put!(
            out,
            "<p class=\"lede\">{} to {}. Newest: <a href=\"{}.html\">{}</a>.</p>",
            first.date.strftime("%-d %B %Y"),
            last.date.strftime("%-d %B %Y"),
            last.date,
            last.date.strftime("%A %-d %B")
        );
    }
    out.push_str("</header><main id=\"content\">");
    run(&mut out, history, figures);
    days(&mut out, kept, found);
    out.push_str(
        "</main><footer><p>Made by Tideline. CLV is closing line value: odds taken times the \
         closing fair probability, minus one.</p></footer></div></body></html>\n",
    );
    out
}

fn run(out: &mut String, history: &[Summary], figures: &Figures) {
    let (Some(first), Some(last)) = (history.first(), history.last()) else { return };
    out.push_str(
        "<section aria-labelledby=\"run\"><h2 id=\"run\">The run</h2><dl class=\"figures\">",
    );
    let change = last.bankroll - first.opening;
    let clv = figures.clv.interval();
    let clv_mean = clv.map_or_else(|| NOTHING.to_owned(), |clv| signed_percent(clv.mean, 2));
    let clv_note = clv.map_or_else(
        || "too few bets".to_owned(),
        |clv| {
            let too_few = if clv.is_too_few() { ", too few to judge" } else { "" };
            let (low, high) = (signed_percent(clv.low, 2), signed_percent(clv.high, 2));
            format!("{low} to {high}, {}{too_few}", counted(clv.n, "bet"))
        },
    );
    let suggestions: u64 = history.iter().map(|day| day.issued).sum();
    let rows = [
        ("Bankroll", money(last.bankroll), format!("began with {}", money(first.opening))),
        (
            "Change",
            format!("<span class=\"{}\">{}</span>", tone(change.as_f64()), signed_money(change)),
            format!("greatest drawdown {}", percent(last.drawdown.max, 1)),
        ),
        ("Mean CLV", clv_mean, clv_note),
        (
            "Suggestions",
            grouped(suggestions),
            format!("over {}", counted(history.len() as u64, "day")),
        ),
    ];
    for (label, value, note) in rows {
        put!(out, "<div><dt>{label}</dt><dd>{value}<small>{note}</small></dd></div>");
    }
    put!(
        out,
        "</dl><figure>{}<figcaption>Bankroll at the end of each day; the dashed line is what the \
         run began with.</figcaption></figure></section>",
        charts::bankroll("run-chart", history)
    );
}

fn days(out: &mut String, kept: &[Summary], found: &BTreeMap<Date, FoundPage>) {
    out.push_str(
        "<section aria-labelledby=\"days\"><h2 id=\"days\">Days</h2><div class=\"scroll\" \
         role=\"region\" aria-label=\"Days\" tabindex=\"0\"><table class=\"compact\"><caption>Pages, \
         newest first</caption><thead><tr><th scope=\"col\">Day</th><th scope=\"col\" \
         class=\"n\">Bankroll</th><th scope=\"col\" class=\"n\">Change</th><th scope=\"col\" \
         class=\"n\">Suggestions</th><th scope=\"col\" class=\"n\">Settled</th><th scope=\"col\" \
         class=\"n\">CLV of the day</th></tr></thead><tbody>",
    );
    let mut rows: BTreeMap<Date, String> = BTreeMap::new();
    for (date, page) in found {
        rows.insert(*date, found_row(*date, page));
    }
    for day in kept {
        rows.insert(day.date, kept_row(day));
    }
    for row in rows.values().rev() {
        out.push_str(row);
    }
    out.push_str("</tbody></table></div></section>");
}

fn day_cell(date: Date) -> String {
    format!("<th scope=\"row\"><a href=\"{date}.html\">{}</a></th>", date.strftime("%a %-d %b %Y"))
}

fn kept_row(day: &Summary) -> String {
    let change = day.bankroll - day.opening;
    let count = |n: u64| if n == 0 { NOTHING.to_owned() } else { grouped(n) };
    format!(
        "<tr>{}<td class=\"n\">{}</td><td class=\"n {}\">{}</td><td class=\"n\">{}</td><td \
         class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
        day_cell(day.date),
        money(day.bankroll),
        tone(change.as_f64()),
        if change == schema::Money::ZERO { NOTHING.to_owned() } else { signed_money(change) },
        count(day.issued),
        count(day.settled),
        day.clv_today.mean().map_or_else(|| NOTHING.to_owned(), |mean| signed_percent(mean, 2))
    )
}

/// A page of an earlier run, by its own account.
fn found_row(date: Date, page: &FoundPage) -> String {
    format!(
        "<tr class=\"earlier\">{}<td class=\"n\">{}</td><td class=\"n\">earlier run</td><td \
         class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
        day_cell(date),
        Escaped(&page.bankroll),
        Escaped(&page.issued),
        Escaped(&page.settled),
        Escaped(&page.clv)
    )
}
