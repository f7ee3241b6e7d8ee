//! What the console shows, as a pure function of its state.

use schema::{Action, RunState, Suggestion};

use super::State;
use crate::html::{money, signed_money};

/// One suggestion on one line: what `verbose` prints.
pub(super) fn line(s: &Suggestion) -> String {
    let what = match (s.action, s.pnl) {
        (Action::Settled | Action::Corrected, Some(pnl)) => {
            format!("{} pnl {}", s.outcome.as_deref().unwrap_or("-"), signed_money(pnl))
        }
        _ => format!("@ {} (min {}) stake {}", s.odds, s.odds_min, s.stake),
    };
    let text = format!(
        "{} {:<9} {} {} {} {} {what} | {}",
        s.event_time,
        s.action.name(),
        s.fixture,
        s.market,
        s.selection,
        s.book,
        s.reason
    );
    format!("{}\n", printable(&text))
}

/// The table, line by line.
pub(super) fn frame(state: &State, rows_max: usize, color: bool) -> Vec<String> {
    let paint = |code: &str, text: &str| {
        if color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    };
    let run = match state.run {
        RunState::Run => paint("32", "run"),
        RunState::Reduce => paint("33", "reduce"),
        RunState::Halt => paint("31;1", "HALT"),
    };
    let mut lines = vec![format!(
        "{}  {}  {run}  bankroll {}  exposure {}  outstanding {}",
        paint("1", "Tideline"),
        state.time,
        money(state.bankroll),
        money(state.exposure),
        state.outstanding.len()
    )];
    if !state.run_reason.is_empty() {
        lines.push(paint("33", &printable(&state.run_reason)));
    }
    if !state.stale.is_empty() {
        lines.push(paint("33", &printable(&format!("stale: {}", state.stale.join(", ")))));
    }
    let mut rows: Vec<&Suggestion> = state.outstanding.values().map(AsRef::as_ref).collect();
    rows.sort_by_key(|s| (s.kick_off, s.suggestion_id));
    if rows.is_empty() {
        lines.push(paint("2", "nothing to bet now"));
        return lines;
    }
    lines.push(paint("2", HEADER));
    lines.extend(rows.iter().take(rows_max).map(|s| row(s)));
    if rows.len() > rows_max {
        lines.push(paint("2", &format!("and {} more", rows.len() - rows_max)));
    }
    lines
}

const HEADER: &str = "KICK-OFF UTC  FIXTURE                        BET                       BOOK       \
                      ODDS    MIN    EDGE  CONF      STAKE  REASON";

pub(super) fn row(s: &Suggestion) -> String {
    let kick_off = s.kick_off.to_string();
    let kick_off = kick_off.get(5..16).unwrap_or(&kick_off).replace('T', " ");
    format!(
        "{kick_off:<12}  {}  {}  {}  {:>6} {:>6} {:>+6.1}% {:>5.2} {:>10}  {}",
        column(&format!("{} - {}", s.home, s.away), 29),
        column(&format!("{} {}", s.market, s.selection), 24),
        column(&s.book, 8),
        s.odds.to_string(),
        s.odds_min.to_string(),
        s.edge * 100.0,
        s.confidence,
        money(s.stake),
        printable(&s.reason)
    )
}

/// Text cut or filled to a width in characters.
fn column(text: &str, width: usize) -> String {
    let text = printable(text);
    if text.chars().count() > width {
        let cut: String = text.chars().take(width - 1).collect();
        format!("{cut}\u{2026}")
    } else {
        format!("{text:<width$}")
    }
}

/// Control characters could steer the terminal; a name from a feed must not.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
