//! One day's page: its frame, and the order of its sections.

use jiff::civil::Date;
use schema::RunState;

use super::accounts::Figures;
use super::calendar::Calendar;
use super::day::{Day, Summary};
use super::{bets, sections};
use crate::html::{Escaped, counted, money, put, signed_money, signed_percent};
use crate::statistics::SAMPLE_MIN;

/// The look of every page, light and dark: colours, type, tables, the classes of the pictures.
pub const STYLE: &str = include_str!("style.css");

/// The first bytes of every page say that it is ours, so that pruning deletes nothing else.
pub(super) const GENERATOR: &str = r#"<meta name="generator" content="Tideline">"#;
/// What precedes the figures that a page carries for the index.
pub(super) const SUMMARY_META: &str = r#"<meta name="tideline-day" content=""#;

/// Everything a page is made of. The result depends on nothing else: neither on when it is rendered
/// nor on what came after the day.
pub(super) struct Page<'a> {
    pub calendar: &'a Calendar,
    pub day: &'a Day,
    /// The run's figures at the end of the day, or now.
    pub figures: &'a Figures,
    /// The run's history up to and including the day.
    pub history: &'a [Summary],
    pub previous: Option<Date>,
    pub next: Option<Date>,
}

impl Page<'_> {
    /// The page as one self-contained HTML document.
    pub(super) fn render(&self) -> String {
        let mut out = String::with_capacity(64 << 10);
        let title =
            format!("{} \u{b7} Daily Edge Report", self.day.span.date.strftime("%-d %B %Y"));
        open_document(&mut out, &title, &self.verdict(), &self.index_line());
        self.header(&mut out);
        out.push_str("<main id=\"content\">");
        sections::health(&mut out, self);
        sections::bankroll(&mut out, self);
        sections::closing_line_value(&mut out, self);
        bets::suggestions(&mut out, self);
        bets::settled(&mut out, self);
        bets::corrected(&mut out, self);
        sections::calibration(&mut out, self);
        sections::models(&mut out, self);
        out.push_str("</main>");
        self.footer(&mut out);
        out.push_str("</div></body></html>\n");
        out
    }

    fn is_current(&self) -> bool {
        self.day.closing.is_none()
    }

    /// The day in one sentence, for a preview of the page.
    fn verdict(&self) -> String {
        let counts = &self.day.counts;
        let settled = self.day.settled.len() as u64;
        let change = self.day.bankroll - self.day.opening;
        let clv = match self.figures.clv.interval() {
            Some(clv) if clv.n >= SAMPLE_MIN => {
                format!("CLV {} over {}", signed_percent(clv.mean, 2), counted(clv.n, "bet"))
            }
            _ => "too few bets to judge the CLV".to_owned(),
        };
        format!(
            "{} issued, {settled} settled; bankroll {} ({}); {clv}.",
            counted(counts.issued, "suggestion"),
            money(self.day.bankroll),
            signed_money(change)
        )
    }

    /// What the index shows of this page, should a later run find only the file.
    fn index_line(&self) -> String {
        let issued = self.day.counts.issued;
        let clv = self.day.clv_today();
        let mean = clv.mean().map_or_else(String::new, |mean| signed_percent(mean, 2));
        format!(
            "{}|{issued}|{}|{mean}|{}",
            money(self.day.bankroll),
            self.day.settled.len(),
            clv.n()
        )
    }

    fn header(&self, out: &mut String) {
        let (calendar, span) = (self.calendar, self.day.span);
        put!(
            out,
            "<header class=\"top\"><p class=\"brand\"><b>Tideline</b> Daily Edge Report</p>\
             <nav aria-label=\"Days\">{}<a href=\"index.html\">All days</a>{}</nav>\
             <h1>{}</h1><p class=\"lede\">{} to {}, {}. {}</p></header>",
            day_link(self.previous, "prev", "\u{2190} "),
            day_link(self.next, "next", ""),
            span.date.strftime("%A %-d %B %Y"),
            calendar.moment(span.start),
            calendar.moment(span.end),
            Escaped(calendar.zone()),
            if self.is_current() {
                format!("As of {}; the day is not over.", calendar.moment(self.day.time))
            } else {
                "The day is closed.".to_owned()
            }
        );
    }

    fn footer(&self, out: &mut String) {
        put!(
            out,
            "<footer><p>Edge is expected profit per unit staked, net of commission. Closing line \
             value (CLV) is odds taken times the closing fair probability, minus one; each bet \
             counts once, void bets not at all. Intervals are 95%, Student\u{2019}s t, and hold if \
             bets are independent; bets on one match are not. Whiskers in the reliability diagram are \
             Wilson intervals.</p><p>Times are {}. Paper bets unless the desk reports fills. Made by \
             Tideline from tick {}; the same journal makes the same page.</p></footer>",
            Escaped(self.calendar.zone()),
            self.day.tick
        );
    }
}

fn day_link(date: Option<Date>, rel: &str, arrow: &str) -> String {
    let Some(date) = date else { return String::new() };
    let tail = if rel == "next" { " \u{2192}" } else { "" };
    format!("<a rel=\"{rel}\" href=\"{date}.html\">{arrow}{}{tail}</a>", date.strftime("%-d %b"))
}

/// Everything up to the page's content. The content security policy forbids whatever a page of ours
/// never has: scripts, frames, anything fetched.
pub(super) fn open_document(out: &mut String, title: &str, description: &str, index_line: &str) {
    put!(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">{GENERATOR}");
    if !index_line.is_empty() {
        put!(out, "{SUMMARY_META}{}\">", Escaped(index_line));
    }
    put!(
        out,
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'unsafe-inline'; base-uri 'none'; form-action 'none'\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"description\" content=\"{}\"><title>{}</title><style>{STYLE}</style></head>\
         <body><a class=\"skip\" href=\"#content\">Skip to the report</a><div class=\"page\">",
        Escaped(description),
        Escaped(title)
    );
}

/// The state as a coloured word.
pub(super) fn state_badge(state: RunState) -> String {
    let word = match state {
        RunState::Run => "Running",
        RunState::Reduce => "Reducing",
        RunState::Halt => "Halted",
    };
    format!("<span class=\"badge {}\">{word}</span>", state.name())
}
