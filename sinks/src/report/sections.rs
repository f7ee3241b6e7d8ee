//! The sections about the run as a whole: health, bankroll, closing line value, calibration, models.

use schema::RunState;

use super::charts;
use super::page::{Page, state_badge};
use crate::calibration::Calibration;
use crate::chart::reliability_diagram;
use crate::html::{
    Escaped, NOTHING, counted, grouped, money, number, percent, put, signed_money, signed_percent,
    tone,
};
use crate::statistics::{Interval, SAMPLE_MIN};

/// Opens a section with its heading; the caller closes it.
pub(super) fn open_section(out: &mut String, id: &str, heading: &str) {
    put!(out, "<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{heading}</h2>");
}

/// One figure of a row of figures; `value` and `note` are HTML.
fn figure(out: &mut String, label: &str, value: &str, note: &str) {
    put!(out, "<div><dt>{label}</dt><dd>{value}");
    if !note.is_empty() {
        put!(out, "<small>{note}</small>");
    }
    out.push_str("</dd></div>");
}

/// What must be known before any figure is believed.
pub(super) fn health(out: &mut String, page: &Page<'_>) {
    let (day, calendar) = (page.day, page.calendar);
    open_section(out, "health", "Health");
    alerts(out, page);
    out.push_str("<dl class=\"figures\">");
    let reason = Escaped(&day.state_reason).to_string();
    figure(out, "State", &state_badge(day.state), &reason);
    let stale = day.stale_sources.len();
    let stale = if stale == 0 { "None".to_owned() } else { stale.to_string() };
    figure(out, "Stale sources", &stale, "");
    let since = |now: u64, before: u64| grouped(now.saturating_sub(before));
    let total = |n: u64| format!("{} in all", grouped(n));
    let events = since(day.events, day.events_before);
    figure(out, "Events", &events, &total(day.events));
    let rejected = since(day.rejected, day.rejected_before);
    figure(out, "Rejected", &rejected, &total(day.rejected));
    figure(out, "Model", &model_name(&day.model), "");
    let last = if day.ticks == 0 { "no tick today" } else { "time of the last tick" };
    figure(out, "Last heard", &calendar.clock(day.time), last);
    out.push_str("</dl>");
    if day.state_changes.len() > 1 {
        out.push_str("<details><summary>Changes of state today</summary><ul class=\"plain\">");
        for change in &day.state_changes {
            put!(
                out,
                "<li>{} {} {}</li>",
                calendar.clock(change.at),
                state_badge(change.state),
                Escaped(&change.reason)
            );
        }
        out.push_str("</ul></details>");
    }
    out.push_str("</section>");
}

fn alerts(out: &mut String, page: &Page<'_>) {
    let day = page.day;
    match day.state {
        RunState::Run => {}
        RunState::Reduce => out.push_str(
            "<p class=\"alert\">Reducing: nothing new is suggested, and what stands may only shrink, \
             until an operator resumes.</p>",
        ),
        RunState::Halt => out.push_str(
            "<p class=\"alert severe\">Halted: no stakes at all until an operator resumes.</p>",
        ),
    }
    if !day.stale_sources.is_empty() {
        let names: Vec<String> =
            day.stale_sources.iter().map(|name| format!("<bdi>{}</bdi>", Escaped(name))).collect();
        put!(
            out,
            "<p class=\"alert\">Stale: {}. Prices from there count for nothing until it speaks \
             again.</p>",
            names.join(", ")
        );
    }
    if day.ticks == 0 {
        out.push_str("<p class=\"alert\">Nothing was heard from any source on this day.</p>");
    }
}

/// Money: what there is, how it moved, what is at risk.
pub(super) fn bankroll(out: &mut String, page: &Page<'_>) {
    let (day, drawdown) = (page.day, page.figures.drawdown);
    open_section(out, "bankroll", "Bankroll");
    out.push_str("<dl class=\"figures\">");
    let change = day.bankroll - day.opening;
    let opening = day.opening.as_f64();
    let share = if opening > 0.0 { change.as_f64() / opening } else { f64::NAN };
    figure(out, "Bankroll", &money(day.bankroll), "");
    let tone = tone(change.as_f64());
    let value = format!("<span class=\"{tone}\">{}</span>", signed_money(change));
    figure(out, "Change on the day", &value, &signed_percent(share, 2));
    let worst = format!("greatest {}", percent(drawdown.max, 1));
    figure(out, "Drawdown from peak", &percent(drawdown.now, 1), &worst);
    let bankroll = day.bankroll.as_f64();
    let exposed = if bankroll > 0.0 { day.exposure.as_f64() / bankroll } else { f64::NAN };
    let note = format!("{} of the bankroll", percent(exposed, 1));
    figure(out, "Exposure", &money(day.exposure), &note);
    out.push_str("</dl><figure>");
    out.push_str(&charts::bankroll("bankroll-chart", page.history));
    out.push_str(
        "<figcaption>At the end of each day; the dashed line is what the run began \
         with.</figcaption></figure></section>",
    );
}

/// The headline: do the prices taken beat the close?
pub(super) fn closing_line_value(out: &mut String, page: &Page<'_>) {
    let clv = &page.figures.clv;
    open_section(out, "clv", "Closing line value");
    let Some(interval) = clv.interval() else {
        put!(
            out,
            "<p class=\"empty\">{} with a closing line so far: too few for a mean with an \
             interval.</p></section>",
            counted(clv.n(), "bet")
        );
        return;
    };
    out.push_str("<dl class=\"figures\">");
    let tone = match clv_sign(&interval) {
        Some(sign) => tone(sign),
        None => "flat",
    };
    let mean = format!("<span class=\"{tone}\">{}</span>", signed_percent(interval.mean, 2));
    figure(out, "Mean CLV", &mean, "");
    let range = format!(
        "{} <span class=\"to\">to</span> {}",
        signed_percent(interval.low, 2),
        signed_percent(interval.high, 2)
    );
    figure(out, "95% interval", &range, "");
    figure(out, "Bets with a close", &grouped(interval.n), "");
    let today = page.day.clv_today();
    let value = today.mean().map_or_else(|| NOTHING.to_owned(), |mean| signed_percent(mean, 2));
    figure(out, "Settled on the day", &value, &counted(today.n(), "bet"));
    put!(out, "</dl><p class=\"reading\">{}</p>", clv_reading(&interval));
    if let Some(chart) = charts::closing_line_value("clv-chart", page.history) {
        put!(
            out,
            "<figure>{chart}<figcaption>Mean over all bets so far with its 95% interval; dots are \
             single days.</figcaption></figure>"
        );
    }
    out.push_str("</section>");
}

/// The sign of the mean, once the interval tells it from zero.
fn clv_sign(interval: &Interval) -> Option<f64> {
    let is_told = !interval.is_too_few() && (interval.low > 0.0 || interval.high < 0.0);
    is_told.then_some(interval.mean)
}

fn clv_reading(interval: &Interval) -> String {
    if interval.is_too_few() {
        return format!("Too few bets to judge: {} of at least {SAMPLE_MIN}.", interval.n);
    }
    match clv_sign(interval) {
        Some(sign) if sign > 0.0 => {
            "The prices taken beat the closing line; the interval lies above zero.".to_owned()
        }
        Some(_) => {
            "The prices taken lose to the closing line; the interval lies below zero.".to_owned()
        }
        None => "Not yet told apart from zero: the interval includes it.".to_owned(),
    }
}

/// Are the probabilities true, and how do they compare with the close?
pub(super) fn calibration(out: &mut String, page: &Page<'_>) {
    let calibration = &page.figures.calibration;
    open_section(out, "calibration", "Calibration");
    let (Some(loss), Some(error)) =
        (calibration.log_loss(), calibration.expected_calibration_error())
    else {
        out.push_str(
            "<p class=\"empty\">No forecast has met its result yet. Reliability, log-loss and \
             calibration error appear with the first ones.</p></section>",
        );
        return;
    };
    out.push_str("<dl class=\"figures\">");
    let forecasts = grouped(calibration.forecasts());
    figure(out, "Forecasts with a result", &forecasts, "1X2, before kick-off");
    let beside = calibration.log_loss_beside_closing();
    let with_closing = format!("{} with a close", counted(calibration.with_closing(), "fixture"));
    match beside {
        Some((ours, closing)) => {
            figure(out, "Log-loss", &number(ours, 4), &with_closing);
            figure(out, "Log-loss of the close", &number(closing, 4), "same fixtures");
            let ratio = if closing > 0.0 { ours / closing } else { f64::NAN };
            let note = match ratio {
                _ if calibration.with_closing() < SAMPLE_MIN => "too few to judge",
                ratio if ratio > 1.0 => "above 1: the close is sharper",
                _ => "at most 1: as sharp as the close",
            };
            figure(out, "Ratio to the close", &number(ratio, 4), note);
        }
        None => figure(out, "Log-loss", &number(loss, 4), "no closing line to compare with"),
    }
    figure(out, "Calibration error", &percent(error, 2), "ECE, ten bins");
    out.push_str("</dl>");
    reliability(out, calibration, error);
    out.push_str("</section>");
}

fn reliability(out: &mut String, calibration: &Calibration, error: f64) {
    let bins = calibration.bins();
    let description = format!(
        "Forecast probability against observed frequency in {} bins with their 95% intervals; \
         perfect calibration is the diagonal. The expected calibration error is {}.",
        bins.len(),
        percent(error, 2)
    );
    put!(
        out,
        "<div class=\"beside\"><figure>{}<figcaption>Points on the diagonal are perfectly \
         calibrated; whiskers are 95% intervals.</figcaption></figure>",
        reliability_diagram("reliability", &description, &bins)
    );
    out.push_str(
        "<div class=\"scroll\" role=\"region\" aria-label=\"Reliability by bin\" tabindex=\"0\">\
         <table class=\"compact\"><caption>Reliability by bin: home, draw and away \
         pooled</caption><thead><tr><th scope=\"col\">Forecast</th><th scope=\"col\" \
         class=\"n\">Events</th><th scope=\"col\" class=\"n\">Mean forecast</th><th scope=\"col\" \
         class=\"n\">Came true</th></tr></thead><tbody>",
    );
    for bin in &bins {
        put!(
            out,
            "<tr><th scope=\"row\">{:.0}\u{2013}{:.0}%</th><td class=\"n\">{}</td><td \
             class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            bin.from * 100.0,
            bin.to * 100.0,
            grouped(bin.n),
            percent(bin.predicted, 1),
            percent(bin.observed, 1)
        );
    }
    out.push_str("</tbody></table></div></div>");
}

/// Which model prices, and since when.
pub(super) fn models(out: &mut String, page: &Page<'_>) {
    open_section(out, "models", "Models");
    let models = &page.figures.models;
    match models.last() {
        None => out.push_str("<p class=\"empty\">No model has priced anything yet.</p>"),
        Some(champion) if &*champion.model == "market" => out.push_str(
            "<p class=\"reading\">The market pricer is in use: fair prices are the books\u{2019} \
             consensus with the margin taken out. No trained model competes with it.</p>",
        ),
        Some(champion) => put!(
            out,
            "<p class=\"reading\">Champion: {}, in use since {}.</p>",
            model_name(&champion.model),
            page.calendar.dated(champion.since)
        ),
    }
    if models.len() > 1 {
        out.push_str("<details><summary>Earlier models</summary><ul class=\"plain\">");
        for change in models.iter().rev().skip(1) {
            let since = page.calendar.dated(change.since);
            put!(out, "<li>{} from {since}</li>", model_name(&change.model));
        }
        out.push_str("</ul></details>");
    }
    out.push_str("</section>");
}

/// A model's name: a digest is cut to what people compare by eye, in full on hovering.
fn model_name(model: &str) -> String {
    if model == "market" {
        return "Market".to_owned();
    }
    if model.is_empty() {
        return NOTHING.to_owned();
    }
    let cut: String = model.chars().take(12).collect();
    format!("<code title=\"{}\">{}</code>", Escaped(model), Escaped(&cut))
}
