//! Forecasters beside each other, calibration, and how it went by season and league.

use sinks::calibration::ReliabilityBin;
use sinks::chart::{Axis, LineChart, reliability_diagram};
use sinks::html::{Escaped, grouped};

use super::super::columns::{CLOSE, TIDELINE};
use super::super::pictures::{Difference, differences};
use super::{As, Page, Row, signed};

impl Page<'_> {
    /// The table of forecasters and its picture.
    pub(super) fn forecasts(&mut self) {
        self.section("forecasts", "Forecasts of home, draw and away");
        if self.rows("/forecasts/common") == 0 {
            self.put(
                "<p class=\"empty\">Tideline and the close have no fixture in common: there is \
                 nothing to compare.</p>",
            );
        } else {
            self.comparison();
        }
        if self.rows("/forecasts/own") > 0 {
            self.fold("Each on its own fixtures");
            self.forecasters("Each forecaster on all fixtures it has", "/forecasts/own");
            self.put("</details>");
        }
        self.put("</section>");
    }

    fn comparison(&mut self) {
        let n = self.show("/forecasts/common_fixtures", As::Count);
        let left_out: Vec<String> = (0..self.rows("/forecasts/left_out"))
            .map(|i| self.show(&format!("/forecasts/left_out/{i}"), As::Text))
            .collect();
        self.put(&format!("<p class=\"reading\">On the {n} fixtures that all of these have."));
        if !left_out.is_empty() {
            self.put(&format!(
                " Left out, since they have too few of them: {}.",
                left_out.join(", ")
            ));
        }
        self.put("</p><figure>");
        let rows: Vec<Difference<'_>> = (0..self.rows("/forecasts/common"))
            .filter_map(|i| {
                let at = |key: &str| self.number(&format!("/forecasts/common/{i}/close/{key}"));
                let name = self.text(&format!("/forecasts/common/{i}/forecast"));
                Some(Difference {
                    name,
                    value: at("difference/value")?,
                    low: at("difference/low")?,
                    high: at("difference/high")?,
                    is_ours: name == TIDELINE,
                })
            })
            .collect();
        let picture = differences("differences", &rows);
        self.put(&picture);
        self.put(
            "<figcaption>Log-loss less that of the close (left is better) with its 95% interval. \
             Forecasters far off stand at the edge with their value.</figcaption></figure>",
        );
        self.forecasters(
            "All forecasters on the fixtures they have in common",
            "/forecasts/common",
        );
    }

    fn forecasters(&mut self, caption: &str, table: &str) {
        let reference = format!("=Less {}\u{2019}s", self.text("/forecasts/reference"));
        let headings = [
            "Forecast",
            "=Fixtures",
            "=Log-loss",
            "=RPS",
            "=Brier",
            "=ECE",
            "=Over the close\u{2019}s",
            "=Less the close\u{2019}s",
            &reference,
        ];
        let rows: Vec<Row> = (0..self.rows(table))
            .map(|i| {
                let at = |key: &str| format!("{table}/{i}/{key}");
                let ece = format!(
                    "{} <small class=\"ci\">floor {}</small>",
                    self.show(&at("ece"), As::Fixed(4)),
                    self.show(&at("ece_floor"), As::Fixed(4))
                );
                let mut name = self.show(&at("forecast"), As::Text);
                if self.text(&at("kind")) == "reference" {
                    name.push_str("<small>reference, not a book</small>");
                } else if self.text(&at("forecast")) == CLOSE {
                    name.push_str("<small>what ratios are to</small>");
                }
                Row {
                    cells: vec![
                        name,
                        self.show(&at("fixtures"), As::Count),
                        self.show(&at("log_loss"), As::Fixed(5)),
                        self.show(&at("rps"), As::Fixed(4)),
                        self.show(&at("brier"), As::Fixed(4)),
                        ece,
                        self.show(&at("close/ratio"), As::Fixed(4)),
                        self.estimate(&at("close/difference"), As::Signed(4)),
                        self.estimate(&at("reference/difference"), As::Signed(4)),
                    ],
                    is_ours: self.text(&at("forecast")) == TIDELINE,
                }
            })
            .collect();
        self.table(caption, &headings, &rows);
    }

    /// Reliability of Tideline's prices.
    pub(super) fn calibration(&mut self) {
        self.section("calibration", "Calibration of Tideline\u{2019}s prices");
        let n = self.rows("/reliability");
        if n == 0 {
            self.put("<p class=\"empty\">No price has a result yet.</p></section>");
            return;
        }
        let at =
            |i: usize, key: &str| self.number(&format!("/reliability/{i}/{key}")).unwrap_or(0.0);
        let bins: Vec<ReliabilityBin> = (0..n)
            .map(|i| ReliabilityBin {
                from: at(i, "from"),
                to: at(i, "to"),
                n: at(i, "events") as u64,
                predicted: at(i, "forecast"),
                observed: at(i, "observed"),
                low: at(i, "low"),
                high: at(i, "high"),
            })
            .collect();
        let events: u64 = bins.iter().map(|bin| bin.n).sum();
        let description = format!(
            "Forecast probability against observed frequency in {n} bins of {} events with their \
             95% intervals; perfect calibration is the diagonal.",
            grouped(events)
        );
        let picture = reliability_diagram("reliability", &description, &bins);
        self.put(&format!(
            "<div class=\"beside\"><figure>{picture}<figcaption>Points on the diagonal are \
             perfectly calibrated; whiskers are 95% intervals.</figcaption></figure>"
        ));
        let rows: Vec<Row> = (0..n)
            .map(|i| {
                let at = |key: &str| format!("/reliability/{i}/{key}");
                let edge = |key: &str| self.show(&at(key), As::Percent(0));
                let observed = format!(
                    "{} <small class=\"ci\">{} <span class=\"to\">to</span> {}</small>",
                    self.show(&at("observed"), As::Percent(1)),
                    self.show(&at("low"), As::Percent(1)),
                    self.show(&at("high"), As::Percent(1))
                );
                Row::of(vec![
                    format!("{} to {}", edge("from"), edge("to")),
                    self.show(&at("events"), As::Count),
                    self.show(&at("forecast"), As::Percent(1)),
                    observed,
                ])
            })
            .collect();
        let headings = ["Forecast", "=Events", "=Mean forecast", "=Came true"];
        self.table("Reliability by bin, home, draw and away pooled", &headings, &rows);
        self.put("</div></section>");
    }

    /// How the difference to the close settled, and what it was by season and league.
    pub(super) fn parts(&mut self) {
        self.section("parts", "Seasons and leagues");
        if self.rows("/progress") > 1 {
            let picture = self.progress();
            self.put(&format!(
                "<figure>{picture}<figcaption>Tideline\u{2019}s log-loss less that of the close, \
                 mean over all fixtures so far; dots are the same of the consensus.\
                 </figcaption></figure>"
            ));
        }
        self.part("By season", "Season", "/forecasts/by_season");
        self.part("By league", "League", "/forecasts/by_league");
        self.put("</section>");
    }

    fn progress(&self) -> String {
        let n = self.rows("/progress");
        let at = |i: usize, key: &str| self.number(&format!("/progress/{i}/{key}")).unwrap_or(0.0);
        // The first tenth is noise that would flatten all the rest.
        let shown = n / 10..n;
        let of = |key: &str| shown.clone().map(|i| (at(i, "day"), at(i, key))).collect::<Vec<_>>();
        let (line, dots) = (of("tideline"), of("consensus"));
        let both = line.iter().chain(&dots).map(|point| point.1);
        let y = Axis::round(both.chain([0.0]), 5, |value, _| signed(value, 4));
        let last = signed(line.last().map_or(0.0, |point| point.1), 4);
        let description = format!("In the end the mean difference to the close is {last}.");
        LineChart {
            id: "progress",
            title: "Log-loss less the close's, over time",
            description: &description,
            line: &line,
            band: &[],
            dots: &dots,
            level: Some((0.0, "")),
            y: &y,
            last: &last,
        }
        .figure()
    }

    fn part(&mut self, heading: &str, key: &str, table: &str) {
        if self.rows(table) == 0 {
            return;
        }
        self.put(&format!("<h3>{}</h3>", Escaped(heading)));
        let headings = [
            key,
            "=Fixtures",
            "=Tideline",
            "=Consensus",
            "=Close",
            "=Tideline over close",
            "=Consensus over close",
            "=Tideline less close",
        ];
        let rows: Vec<Row> = (0..self.rows(table))
            .map(|i| {
                let at = |key: &str| format!("{table}/{i}/{key}");
                Row::of(vec![
                    self.show(&at("key"), As::Text),
                    self.show(&at("fixtures"), As::Count),
                    self.show(&at("tideline"), As::Fixed(4)),
                    self.show(&at("consensus"), As::Fixed(4)),
                    self.show(&at("close"), As::Fixed(4)),
                    self.show(&at("ratio"), As::Fixed(4)),
                    self.show(&at("consensus_ratio"), As::Fixed(4)),
                    self.estimate(&at("difference"), As::Signed(4)),
                ])
            })
            .collect();
        let caption = format!("Log-loss {}", heading.to_lowercase());
        self.table(&caption, &headings, &rows);
    }
}
