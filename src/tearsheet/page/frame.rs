//! The frame of the page: its head, what matters at a glance, and where it all comes from.

use std::fmt::Write as _;

use sinks::html::Escaped;
use sinks::report::STYLE;

use super::super::columns::TIDELINE;
use super::{As, Page};

const OWN_STYLE: &str = include_str!("style.css");

impl Page<'_> {
    /// Everything up to the first section. The content security policy forbids whatever the page
    /// never has: scripts, frames, anything fetched.
    pub(super) fn open(&mut self) {
        let days = self.days();
        let _ = write!(
            self.out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"generator\" content=\"Tideline\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
             'unsafe-inline'; base-uri 'none'; form-action 'none'\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <title>Backtest tearsheet \u{b7} {}</title><style>{STYLE}{OWN_STYLE}</style></head>\
             <body><a class=\"skip\" href=\"#content\">Skip to the figures</a><div class=\"page\">\
             <header class=\"top\"><p class=\"brand\"><b>Tideline</b> Backtest tearsheet</p>",
            Escaped(&days)
        );
        let fixtures = self.show("/forecasts/fixtures", As::Count);
        let priced = self.show("/forecasts/priced", As::Count);
        let bets = self.show("/bets/all/bets", As::Count);
        let _ = write!(
            self.out,
            "<h1>{}</h1><p class=\"lede\">{fixtures} fixtures with a result, {priced} of them priced \
             before the close; {bets} bets. Nothing a price or a bet rests on was known later than \
             it says.</p><nav class=\"contents\" aria-label=\"Sections\"><a \
             href=\"#forecasts\">Forecasts</a><a href=\"#calibration\">Calibration</a><a \
             href=\"#parts\">Seasons and leagues</a><a href=\"#bets\">Bets</a><a \
             href=\"#windows\">Training windows</a><a href=\"#origin\">Origin</a></nav></header>\
             <main id=\"content\">",
            days.split(' ')
                .map(|word| format!("<span class=\"whole\">{}</span>", Escaped(word)))
                .collect::<Vec<_>>()
                .join(" ")
        );
    }

    fn days(&self) -> String {
        let day = |pointer: &str| self.text(pointer).get(..10).unwrap_or("?").to_owned();
        let from = self.text("/run/from");
        let first = if from.is_empty() { day("/run/first_kick_off") } else { from.to_owned() };
        format!("{first} to {}", day("/run/last_kick_off"))
    }

    /// Pointer of Tideline's row in one of the two tables of forecasters.
    pub(super) fn row_of(&self, table: &str, name: &str) -> Option<String> {
        let named = |i: &usize| self.text(&format!("{table}/{i}/forecast")) == name;
        let row = (0..self.rows(table)).find(named)?;
        Some(format!("{table}/{row}"))
    }

    /// What a reader in a hurry takes away.
    pub(super) fn glance(&mut self) {
        self.section("glance", "At a glance");
        self.put("<dl class=\"figures\">");
        if let Some(row) = self.row_of("/forecasts/own", TIDELINE) {
            let at = |tail: &str| format!("{row}{tail}");
            let ratio = self.show(&at("/close/ratio"), As::Fixed(4));
            let n = self.show(&at("/close/fixtures"), As::Count);
            self.figure("Log-loss, over the close\u{2019}s", &ratio, &format!("{n} fixtures"));
            if self.has(&at("/reference")) {
                let label = format!(
                    "Log-loss, less that of {} before the close",
                    Escaped(self.text("/forecasts/reference"))
                );
                let value = self.estimate(&at("/reference/difference"), As::Signed(5));
                self.figure(&label, &value, "");
            }
            let ece = self.show(&at("/ece"), As::Fixed(4));
            let floor = self.show(&at("/ece_floor"), As::Fixed(4));
            let note = format!("{floor} if perfectly calibrated");
            self.figure("Calibration error", &ece, &note);
        }
        let bets = self.show("/bets/all/bets", As::Count);
        let suspect = self.show("/bets/suspect/bets", As::Count);
        self.figure("Bets", &bets, &format!("{suspect} at suspect prices"));
        let clv = self.estimate("/bets/all/clv", As::SignedPercent(2));
        self.figure("Closing line value", &clv, "");
        let flat = self.estimate("/bets/all/flat_yield", As::SignedPercent(1));
        self.figure("Yield, flat stakes", &flat, "");
        let kelly = self.estimate("/bets/all/kelly_yield", As::SignedPercent(1));
        self.figure("Yield, as staked", &kelly, "");
        let fall = self.show("/bets/max_drawdown", As::Percent(1));
        self.figure("Deepest drawdown", &fall, "of the bankroll\u{2019}s peak");
        let reading = self.verdict();
        let _ = write!(self.out, "</dl><p class=\"reading\">{reading}</p></section>");
    }

    /// The comparison that matters most, in words that the interval bears out.
    fn verdict(&self) -> String {
        let Some(row) = self.row_of("/forecasts/own", TIDELINE) else {
            return "No fixture was priced and has a result.".to_owned();
        };
        let against = |which: &str, name: &str| {
            let end = |end: &str| self.number(&format!("{row}/{which}/difference/{end}"));
            let (low, high) = end("low").zip(end("high"))?;
            let said = if high < 0.0 {
                "were better than"
            } else if low > 0.0 {
                "were worse than"
            } else {
                "cannot be told from"
            };
            Some(format!("{said} {}", Escaped(name)))
        };
        let reference = format!("{}\u{2019}s before the close", self.text("/forecasts/reference"));
        let said = [against("reference", &reference), against("close", "the close itself")];
        let said: Vec<String> = said.into_iter().flatten().collect();
        if said.is_empty() {
            return "No price of another is there to compare with.".to_owned();
        }
        format!("Tideline\u{2019}s prices {}.", said.join(", and "))
    }

    /// Which models priced when.
    pub(super) fn windows(&mut self) {
        self.section("windows", "Training windows");
        let n = self.rows("/windows");
        let learned = (0..n).filter(|i| self.has(&format!("/windows/{i}/window_end"))).count();
        let last = n.saturating_sub(1);
        let pricer = self.show(&format!("/windows/{last}/pricer"), As::Text);
        let _ = write!(
            self.out,
            "<p class=\"reading\">{learned} windows ended with a model that went live; the last \
             pricer is \u{201c}{pricer}\u{201d}. A window\u{2019}s log-loss is that of the prices \
             made from its end until the next one\u{2019}s.</p>",
        );
        let idle = |i: &usize| self.number(&format!("/windows/{i}/fixtures")) == Some(0.0);
        let (unused, used): (Vec<usize>, Vec<usize>) = (0..n).partition(idle);
        if !unused.is_empty() {
            let _ = write!(
                self.out,
                "<p class=\"reading\">{} windows priced no fixture that is scored here; the JSON \
                 beside this page has them too.</p>",
                unused.len()
            );
        }
        self.fold("Every window that priced a scored fixture");
        let rows: Vec<_> = used
            .into_iter()
            .map(|i| {
                let at = |key: &str| format!("/windows/{i}/{key}");
                let digest: String = self.text(&at("model")).chars().take(12).collect();
                let digest = Escaped(&digest).to_string();
                let end = if self.has(&at("window_end")) {
                    self.show(&at("window_end"), As::Day)
                } else {
                    "before any".to_owned()
                };
                super::Row::of(vec![
                    end,
                    self.show(&at("pricer"), As::Text),
                    format!("<code title=\"{}\">{digest}</code>", Escaped(self.text(&at("model")))),
                    self.show(&at("fixtures"), As::Count),
                    self.show(&at("log_loss"), As::Fixed(4)),
                    self.show(&at("difference_to_close"), As::Signed(4)),
                ])
            })
            .collect();
        let headings =
            ["Window end", "Pricer", "Model", "=Fixtures", "=Log-loss", "=Less the close\u{2019}s"];
        self.table("Models in the order they went live", &headings, &rows);
        self.put("</details></section>");
    }

    /// Where the figures come from.
    pub(super) fn origin(&mut self) {
        self.section("origin", "Origin");
        self.put("<dl class=\"origin\">");
        for (label, pointer, how) in [
            ("Command", "/run/command", As::Text),
            ("Tideline", "/run/version", As::Text),
            ("First kick-off", "/run/first_kick_off", As::Text),
            ("Last kick-off", "/run/last_kick_off", As::Text),
            ("Scored from", "/run/from", As::Text),
            ("Facts", "/run/facts", As::Count),
            ("Records refused", "/run/rejected", As::Count),
            ("Fixtures", "/run/fixtures", As::Count),
            ("Results", "/run/results", As::Count),
            ("Suggestions issued", "/run/suggestions", As::Count),
            ("Digest of the suggestions", "/run/digest", As::Text),
            ("Seed", "/run/seed", As::Text),
            ("Resamples", "/run/draws", As::Count),
        ] {
            let shown = self.show(pointer, how);
            let _ = write!(self.out, "<div><dt>{label}</dt><dd>{shown}</dd></div>");
        }
        self.put("</dl></section>");
    }

    /// Definitions, and the end.
    pub(super) fn close(&mut self) {
        self.put(
            "</main><footer><p>Log-loss is the mean of \u{2212}ln of the probability given to what \
             happened; RPS is the ranked probability score (0 to 1), Brier the squared error over \
             the three outcomes (0 to 2); the calibration error is class-wise over ten bins of equal \
             count. Books are de-vigged by the power method. Intervals are 95%, from resampling \
             whole weeks; those of frequencies are Wilson\u{2019}s.</p><p>Closing line value (CLV) \
             is odds taken times the closing fair probability, minus one. A price over 1.10 times \
             the median of the books\u{2019} prices is suspect: most such prices are errors. The \
             drawdown of a part of the bets is that of the opening bankroll with their profit alone. \
             Void bets count nowhere. Paper bets unless the desk reports fills.</p><p>Every figure \
             names its place in tearsheet.json beside this page.</p></footer></div></body></html>\n",
        );
    }
}
