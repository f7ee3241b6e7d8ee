//! The sections about single bets: what to bet, what was settled, what was corrected.

use schema::{Action, LedgerRow, LedgerStatus, Money, Suggestion};

use super::accounts::Bet;
use super::day::Standing;
use super::page::Page;
use super::sections::open_section;
use crate::html::{
    Escaped, NOTHING, capitalised, counted, market, money, number, percent, put, signed_money,
    signed_percent, tone,
};
use crate::statistics::Moments;

/// Most rows of one table; the rest is counted, and the ledger has them all.
const ROWS_MAX: usize = 300;
/// Most quotes shown of one suggestion.
const QUOTES_MAX: usize = 40;

fn open_table(out: &mut String, caption: &str, columns: &[(&str, bool)]) {
    put!(
        out,
        "<div class=\"scroll\" role=\"region\" aria-label=\"{caption}\" tabindex=\"0\"><table>\
         <caption>{caption}</caption><thead><tr>"
    );
    for (name, is_number) in columns {
        let class = if *is_number { " class=\"n\"" } else { "" };
        put!(out, "<th scope=\"col\"{class}>{name}</th>");
    }
    out.push_str("</tr></thead>");
}

fn more_rows(out: &mut String, shown: usize, all: usize) {
    if all > shown {
        put!(out, "<p class=\"empty\">And {} more, in the ledger.</p>", all - shown);
    }
}

/// What can be bet, and what became of what could be: standing ones first, by kick-off.
pub(super) fn suggestions(out: &mut String, page: &Page<'_>) {
    open_section(out, "suggestions", "Suggestions");
    let day = page.day;
    let mut all: Vec<&Standing> = day.suggestions.values().collect();
    all.sort_by_key(|standing| {
        let bet = &standing.suggestion;
        (!standing.is_open(), bet.kick_off, bet.suggestion_id)
    });
    if all.is_empty() {
        out.push_str(
            "<p class=\"empty\">No suggestion was issued or stood on this day.</p></section>",
        );
        return;
    }
    let open: Vec<_> = all.iter().filter(|standing| standing.is_open()).collect();
    let staked: Money = open.iter().map(|standing| standing.suggestion.stake).sum();
    let counts = &day.counts;
    let parts = [
        (counts.issued, "issued"),
        (counts.revised, "revised"),
        (counts.withdrawn, "withdrawn"),
        (counts.expired, "expired"),
        (all.iter().filter(|standing| standing.is_carried).count() as u64, "carried over"),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let standing = if open.is_empty() {
        "Nothing left to bet".to_owned()
    } else {
        format!("{} standing, staking {}", open.len(), money(staked))
    };
    put!(out, "<p class=\"reading\">{standing}. On this day: {}.</p>", parts.join(", "));
    let columns = [
        ("Kick-off", false),
        ("Fixture", false),
        ("Bet", false),
        ("Odds", true),
        ("Lowest", true),
        ("Fair", true),
        ("Edge", true),
        ("Confidence", true),
        ("Stake", true),
        ("State", false),
    ];
    open_table(out, "Suggestions of the day", &columns);
    for standing in all.iter().take(ROWS_MAX) {
        suggestion(out, page, standing);
    }
    out.push_str("</table></div>");
    more_rows(out, ROWS_MAX, all.len());
    out.push_str("</section>");
}

fn suggestion(out: &mut String, page: &Page<'_>, standing: &Standing) {
    let bet = &*standing.suggestion;
    let class = if standing.is_open() { "bet" } else { "bet past" };
    put!(
        out,
        "<tbody class=\"{class}\"><tr><td class=\"when\">{}<small>{}</small></td><th scope=\"row\"><bdi>{}</bdi> \
         <span class=\"v\">v</span> <bdi>{}</bdi><small>{}</small></th><td>{}<small><bdi>{}</bdi></small></td>",
        page.calendar.clock(bet.kick_off),
        page.calendar.weekday(bet.kick_off),
        Escaped(&bet.home),
        Escaped(&bet.away),
        Escaped(&bet.league),
        selection(&bet.market, &bet.selection),
        Escaped(&bet.book),
    );
    let fair_odds = if bet.fair_probability > 0.0 { 1.0 / bet.fair_probability } else { f64::NAN };
    put!(
        out,
        "<td class=\"n\"><b>{}</b></td><td class=\"n\">{}</td><td class=\"n\">{}<small>{}</small></td>\
         <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\"><b>{}</b><small>{}</small></td>\
         <td>{}</td></tr>",
        bet.odds,
        bet.odds_min,
        number(fair_odds, 2),
        percent(bet.fair_probability, 1),
        signed_percent(bet.edge, 1),
        number(bet.confidence, 2),
        money(bet.stake),
        Escaped(&bet.stake_limit),
        state(standing)
    );
    put!(
        out,
        "<tr class=\"why\"><td colspan=\"10\"><div class=\"pin\"><p class=\"brief\">{} at {} with \
         <bdi>{}</bdi>, not below {}. Stake {}.</p><p>{}</p>",
        selection(&bet.market, &bet.selection),
        bet.odds,
        Escaped(&bet.book),
        bet.odds_min,
        money(bet.stake),
        Escaped(&bet.reason)
    );
    drawer(out, page, bet);
    out.push_str("</div></td></tr></tbody>");
}

fn state(standing: &Standing) -> String {
    if let Some(outcome) = &standing.outcome {
        return format!("Settled<small>{}</small>", Escaped(&capitalised(outcome)));
    }
    let bet = &standing.suggestion;
    let (word, note) = match bet.action {
        Action::Issued if standing.is_carried => ("Standing", "carried over".to_owned()),
        Action::Issued => ("Standing", String::new()),
        Action::Revised => ("Standing", format!("revision {}", bet.revision)),
        Action::Withdrawn => ("Withdrawn", String::new()),
        Action::Expired => ("Expired", "what was bet stands".to_owned()),
        Action::Settled | Action::Corrected => ("Settled", String::new()),
    };
    if note.is_empty() { word.to_owned() } else { format!("{word}<small>{note}</small>") }
}

/// The readings of the lenses and the quotes, folded away.
fn drawer(out: &mut String, page: &Page<'_>, bet: &Suggestion) {
    out.push_str(
        "<details><summary>Lenses and quotes</summary><div class=\"drawer\"><dl class=\"lenses\">",
    );
    for reading in &bet.lenses {
        let share = if reading.score.is_finite() { reading.score.clamp(0.0, 1.0) } else { 0.0 };
        put!(
            out,
            "<div><dt>{}</dt><dd><span class=\"score\">{}</span><span class=\"meter\" \
             aria-hidden=\"true\"><i style=\"width:{:.0}%\"></i></span><span>{}</span></dd></div>",
            Escaped(&capitalised(&reading.lens)),
            number(reading.score, 2),
            share * 100.0,
            Escaped(&reading.reason)
        );
    }
    out.push_str("</dl><dl class=\"quotes\">");
    for quote in bet.quotes.iter().take(QUOTES_MAX) {
        put!(
            out,
            "<div><dt><bdi>{}</bdi></dt><dd>{}<small>{}</small></dd></div>",
            Escaped(&quote.book),
            quote.odds,
            page.calendar.moment(quote.at)
        );
    }
    put!(
        out,
        "</dl><p class=\"fine\">Stake set by: {}. Good until {}. Sized on a bankroll of {}. Id \
         <code>{}</code>, revision {}.</p></div></details>",
        Escaped(&bet.stake_limit),
        page.calendar.moment(bet.expires_at),
        money(bet.bankroll),
        bet.suggestion_id,
        bet.revision
    );
}

fn selection(market_name: &str, selection: &str) -> String {
    format!("{}: {}", Escaped(&market(market_name)), Escaped(selection))
}

/// Home and away of a fixture's canonical name, `League|Date|Home|Away`; the whole name when it is
/// not of that form.
fn fixture(name: &str, league: &str) -> String {
    let parts: Vec<&str> = name.split('|').collect();
    let title = match parts[..] {
        [_, _, home, away] => format!(
            "<bdi>{}</bdi> <span class=\"v\">v</span> <bdi>{}</bdi>",
            Escaped(home),
            Escaped(away)
        ),
        _ => format!("<bdi>{}</bdi>", Escaped(name)),
    };
    format!("<th scope=\"row\">{title}<small>{}</small></th>", Escaped(league))
}

/// What the day's results made of earlier bets.
pub(super) fn settled(out: &mut String, page: &Page<'_>) {
    open_section(out, "settled", "Settled");
    let mut rows: Vec<&LedgerRow> = page.day.settled.values().collect();
    rows.sort_by_key(|row| (row.settled_at, row.placed_at, row.suggestion_id));
    if rows.is_empty() {
        out.push_str("<p class=\"empty\">No bet was settled on this day.</p></section>");
        return;
    }
    let columns = [
        ("Fixture", false),
        ("Bet", false),
        ("Odds", true),
        ("Stake", true),
        ("Outcome", false),
        ("Profit", true),
        ("CLV", true),
        ("Status", false),
    ];
    open_table(out, "Bets settled on this day", &columns);
    out.push_str("<tbody>");
    for row in rows.iter().take(ROWS_MAX) {
        let outcome = row.outcome.as_deref().map_or_else(|| NOTHING.to_owned(), capitalised);
        put!(
            out,
            "<tr>{}<td>{}<small><bdi>{}</bdi></small></td><td class=\"n\">{}</td><td \
             class=\"n\">{}</td><td>{}</td><td class=\"n {}\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            fixture(&row.game_id, &row.league),
            selection(&row.market, &row.selection),
            Escaped(&row.book),
            row.odds,
            money(row.stake),
            Escaped(&outcome),
            tone(row.pnl.as_f64()),
            signed_money(row.pnl),
            row.clv.map_or_else(|| NOTHING.to_owned(), |clv| signed_percent(clv, 1)),
            status(row.status),
        );
    }
    out.push_str("</tbody>");
    totals(out, &rows, page.day.clv_today());
    out.push_str("</table></div>");
    more_rows(out, ROWS_MAX, rows.len());
    out.push_str("</section>");
}

fn totals(out: &mut String, rows: &[&LedgerRow], clv: Moments) {
    let staked: Money = rows.iter().map(|row| row.stake).sum();
    let pnl: Money = rows.iter().map(|row| row.pnl).sum();
    put!(
        out,
        "<tfoot><tr><th scope=\"row\">{}</th><td></td><td></td><td class=\"n\">{}</td><td></td>\
         <td class=\"n {}\">{}</td><td class=\"n\">{}</td><td></td></tr></tfoot>",
        counted(rows.len() as u64, "bet"),
        money(staked),
        tone(pnl.as_f64()),
        signed_money(pnl),
        clv.mean().map_or_else(|| NOTHING.to_owned(), |mean| signed_percent(mean, 1))
    );
}

fn status(status: LedgerStatus) -> &'static str {
    match status {
        LedgerStatus::Open => "Open",
        LedgerStatus::Provisional => "Provisional",
        LedgerStatus::Final => "Final",
        LedgerStatus::Void => "Void",
    }
}

/// What was settled before and had to be restated.
pub(super) fn corrected(out: &mut String, page: &Page<'_>) {
    let corrections = &page.day.corrected;
    if corrections.is_empty() {
        return;
    }
    open_section(out, "corrected", "Corrected");
    out.push_str(
        "<p class=\"reading\">A fact behind these settled bets changed; the ledger was restated.</p>",
    );
    let columns = [
        ("Fixture", false),
        ("Bet", false),
        ("Was", false),
        ("Profit was", true),
        ("Is", false),
        ("Profit is", true),
        ("Difference", true),
        ("Revision", true),
    ];
    open_table(out, "Bets corrected on this day", &columns);
    out.push_str("<tbody>");
    for correction in corrections.values().take(ROWS_MAX) {
        let (row, before) = (&correction.row, &correction.before);
        let difference = row.pnl - before.pnl;
        put!(
            out,
            "<tr>{}<td>{}<small><bdi>{}</bdi></small></td><td>{}</td><td class=\"n\">{}</td>\
             <td>{}</td><td class=\"n\">{}</td><td class=\"n {}\">{}</td><td class=\"n\">{}</td></tr>",
            fixture(&row.game_id, &row.league),
            selection(&row.market, &row.selection),
            Escaped(&row.book),
            what_became(before),
            signed_money(before.pnl),
            Escaped(
                &row.outcome.as_deref().map_or_else(|| status(row.status).to_owned(), capitalised)
            ),
            signed_money(row.pnl),
            tone(difference.as_f64()),
            signed_money(difference),
            row.revision
        );
    }
    out.push_str("</tbody></table></div>");
    more_rows(out, ROWS_MAX, corrections.len());
    out.push_str("</section>");
}

fn what_became(bet: &Bet) -> String {
    let outcome = bet.outcome.as_deref();
    Escaped(&outcome.map_or_else(|| status(bet.status).to_owned(), capitalised)).to_string()
}
