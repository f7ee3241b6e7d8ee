//! Topologies with the mistakes people make, and what they are told.

use std::path::Path;

use miette::GraphicalTheme;
use schema::{Action, EventId, Money, Odds, Span, Suggestion, Time};

use super::{
    EMBEDDED, Error, Expectation, MarketSettings, Problem, Test, Topology, check, problem,
};

const GOOD: &str = "schema: 1\nsources:\n  feed: { type: replay, path: feed.jsonl }\n";

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Topology, Error> {
    let lookup = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    problem::gather(text, "topology.yaml", |problems| check::read(text, &lookup, problems))
}

fn problems(text: &str) -> Vec<Problem> {
    parse_with(text, &[]).err().map(Error::into_problems).unwrap_or_default()
}

fn rendered(text: &str) -> String {
    let error = parse_with(text, &[]).err().unwrap();
    error.render_with(GraphicalTheme::unicode_nocolor())
}

/// A good topology with something added.
fn with(more: &str) -> String {
    format!("{GOOD}{more}")
}

#[test]
fn the_embedded_topology_is_good_and_says_the_defaults() {
    let embedded = Topology::default();
    assert_eq!(embedded.sources.len(), 1);
    assert_eq!(embedded.data_dir, Path::new("./state"));
    let bare = parse_with(GOOD, &[]).unwrap();
    // The simulated books have names of their own; every figure is the default.
    let MarketSettings { commission, closing_reference, .. } = bare.market.clone();
    let as_bare = MarketSettings { commission, closing_reference, ..embedded.market.clone() };
    assert_eq!(as_bare, bare.market);
    assert_eq!(embedded.model, bare.model);
    assert_eq!(embedded.lenses, bare.lenses);
    assert_eq!(embedded.bankroll, bare.bankroll);
    assert_eq!(embedded.journal, bare.journal);
    let report = serde_json::to_value(&embedded.sinks["report"]).unwrap();
    assert_eq!((&report["type"], &report["path"]), (&"report".into(), &"./reports".into()));
    assert_eq!(Topology::embedded(), EMBEDDED);
}

#[test]
fn every_component_example_fits_into_a_topology() {
    let indented =
        |example: &str| -> String { example.lines().map(|line| format!("    {line}\n")).collect() };
    for listing in sources::LISTINGS {
        let text = format!("schema: 1\nsources:\n  one:\n{}", indented(listing.example));
        let topology = parse_with(&text, &[]).unwrap_or_else(|e| panic!("{}", e.render()));
        assert_eq!(topology.sources["one"].type_name(), listing.type_name);
    }
    for component in sinks::REGISTRY {
        let text = with(&format!("sinks:\n  one:\n{}", indented(component.example)));
        match parse_with(&text, &[]) {
            Ok(topology) => assert_eq!(topology.sinks.len(), 1),
            // A build without Parquet refuses the key, and says how to get it.
            Err(error) => {
                let [only] = error.problems() else { panic!("{}", error.render()) };
                assert_eq!(only.path(), "sinks.one.parquet", "{}", error.render());
            }
        }
    }
    for (_, _, example) in model::PricerConfig::listings() {
        let text = with(&format!("model:\n  pricer:\n{}", indented(example)));
        parse_with(&text, &[]).unwrap_or_else(|e| panic!("{}", e.render()));
    }
    let text = with(&format!("lenses:\n{}", indented(lenses::EXAMPLE)));
    parse_with(&text, &[]).unwrap_or_else(|e| panic!("{}", e.render()));
}

/// One mistake each, as it is shown.
#[test]
fn mistakes_are_shown_where_they_are() {
    for (name, text) in [
        ("misspelt_section", with("lensses: { kelly_fraction: 0.1 }\n")),
        (
            "misspelt_key_of_a_source",
            "schema: 1\nsources:\n  feed:\n    type: replay\n    path: a.jsonl\n    sped: max\n"
                .into(),
        ),
        ("unknown_type", "schema: 1\nsources:\n  feed: { type: reply, path: a.jsonl }\n".into()),
        ("missing_path", "schema: 1\nsources:\n  feed:\n    type: replay\n".into()),
        ("missing_type", with("sinks:\n  out: { path: ./reports }\n")),
        ("text_for_a_number", with("lenses:\n  kelly_fraction: a quarter\n")),
        ("cap_over_one", with("lenses:\n  caps: { bet: 2, fixture: 0.05 }\n")),
        ("negative_cap", with("lenses:\n  caps:\n    day: -0.25\n")),
        ("odds_below_one", with("lenses: { odds_max: 0.5 }\n")),
        ("unreadable_span", with("market:\n  stale_after: 10 minutes\n")),
        ("percent_commission", with("market: { commission: { BFE: 5 } }\n")),
        ("unknown_time_zone", with("sinks:\n  report: { type: report, tz: Europe/Lodnon }\n")),
        ("unset_variable", with("data_dir: ${TIDELINE_STATE}/here\n")),
        ("broken_yaml", with("lenses: { caps: [\n")),
        ("duplicate_key", with("sources:\n  feed: { type: replay, path: b.jsonl }\n")),
        ("newer_layout", GOOD.replace("schema: 1", "schema: 2")),
        (
            "two_sinks_one_file",
            with(
                "sinks:\n  a: { type: jsonl, path: out.jsonl }\n  b: { type: jsonl, path: ./out.jsonl }\n",
            ),
        ),
        ("no_source", "schema: 1\n".into()),
        ("bad_test", with("tests:\n  - name: t\n    given: |\n      not json\n    expect: []\n")),
    ] {
        insta::assert_snapshot!(name, rendered(&text));
    }
}

#[test]
fn all_mistakes_are_found_at_once() {
    let text = "\
schema: 1
sources:
  feed: { type: replay, path: a.jsonl, speed: fast }
  second: { type: football_dta, path: b }
market: { devig: shinn, stale_after: 0s }
lenses:
  caps: { bet: 3 }
  kelly_fractoin: 0.3
bankroll: { start: ten }
sinks:
  report: { type: report, keep_days: 0 }
";
    let found = problems(text);
    let places: Vec<_> = found.iter().map(|p| (p.line(), p.path().to_owned())).collect();
    let expected = [
        (3, "sources.feed.speed"),
        (4, "sources.second.type"),
        (5, "market.devig"),
        (5, "market.stale_after"),
        (7, "lenses.caps.bet"),
        (8, "lenses.kelly_fractoin"),
        (9, "bankroll.start"),
        (11, "sinks.report.keep_days"),
    ];
    assert_eq!(places, expected.map(|(line, path)| (line, path.to_owned())), "{found:#?}");
    assert_eq!(found[4].column(), 16);
}

#[test]
fn problems_of_a_hopeless_file_are_bounded() {
    let many: String = (0..100).map(|n| format!("nonsense_{n}: 1\n")).collect();
    assert_eq!(problems(&with(&many)).len(), 20);
    assert_eq!(problems("just text").len(), 1);
    assert_eq!(problems("").len(), 1);
    assert_eq!(problems(&"#".repeat(2 << 20)).len(), 1);
}

#[test]
fn variables_become_text_or_numbers_as_needed() {
    let text = with(
        "bankroll: { start: \"${START}\" }\nmarket:\n  stale_after: ${STALE:-10m}\ndata_dir: ${DIR}/42\n",
    );
    let set = [("START", "2500"), ("DIR", "7")];
    let topology = parse_with(&text, &set).unwrap();
    assert_eq!(topology.bankroll.start, Money::new(2_500.0).unwrap());
    assert_eq!(topology.market.stale_after, Span::minutes(10));
    assert_eq!(topology.data_dir, Path::new("7/42"));
}

#[test]
fn what_a_variable_holds_is_never_shown() {
    let text = with("lenses: { kelly_fraction: \"${TOKEN}\" }\n");
    let error = parse_with(&text, &[("TOKEN", "hunter2")]).unwrap_err();
    let shown = error.render_with(GraphicalTheme::unicode_nocolor());
    assert!(!shown.contains("hunter2") && shown.contains("${TOKEN}"), "{shown}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn any_cut_or_garbled_topology_is_refused_without_panic() {
    for length in 0..EMBEDDED.len() {
        if let Some(text) = EMBEDDED.get(..length) {
            let _ = problems(text);
        }
    }
    for bad in ["\u{0}", "&a [*a]", "? {a: b}\n: c", "!!binary x", "- 1", "schema: 1e999", "é: [é"]
    {
        assert!(!problems(bad).is_empty(), "{bad}");
    }
}

#[test]
fn the_graph_shows_every_component() {
    let text = with("sinks:\n  out: { type: jsonl }\n  \"a \\\"b\\\"\": { type: console }\n");
    insta::assert_snapshot!("graph", parse_with(&text, &[]).unwrap().graph());
}

fn suggestion(selection: &str, stake: f64) -> Suggestion {
    let (kick_off, odds) = (Time::from_ms(1_722_700_800_000), Odds::new(2.5).unwrap());
    Suggestion {
        schema: 1,
        event_id: EventId(1),
        suggestion_id: EventId(2),
        revision: 1,
        action: Action::Issued,
        retracts: None,
        tick: 1,
        event_time: kick_off,
        emit_time: kick_off,
        fixture: "L|2024-08-03|A|B".into(),
        league: "L".into(),
        home: "A".into(),
        away: "B".into(),
        kick_off,
        market: "1x2".into(),
        selection: selection.into(),
        book: "B365".into(),
        odds,
        odds_min: odds,
        fair_probability: 0.45,
        edge: 0.125,
        confidence: 0.8,
        stake: Money::new(stake).unwrap(),
        bankroll: Money::new(1_000.0).unwrap(),
        stake_limit: "kelly".into(),
        reason: String::new(),
        lenses: Vec::new(),
        quotes: Vec::new(),
        expires_at: kick_off,
        model: "market".into(),
        outcome: None,
        pnl: None,
        clv: None,
    }
}

#[test]
fn tests_pass_and_fail_with_a_reason() {
    let mut topology = parse_with(GOOD, &[]).unwrap();
    let test = |name: &str, expect: Vec<Expectation>| {
        let given = "# a fact\n\n{\"type\":\"mark\",\"ts\":1722700800000}\n".to_owned();
        Test { name: name.to_owned(), given, expect }
    };
    let fixture = "L|2024-08-03|A|B".to_owned();
    let home = Expectation {
        fixture: fixture.clone(),
        selection: Some("home".into()),
        stake_min: Some(Money::new(5.0).unwrap()),
        odds_min: Some(2.4),
        ..Expectation::default()
    };
    let away = Expectation { selection: Some("away".into()), ..home.clone() };
    let small = Expectation { stake_max: Some(Money::new(6.0).unwrap()), ..home.clone() };
    let later = Expectation { action: Some(Action::Withdrawn), ..home.clone() };
    topology.tests = vec![
        test("home is bet", vec![home]),
        test("away is bet", vec![away]),
        test("home is bet with little", vec![small]),
        test("it is taken back", vec![later]),
        test("nothing is bet", vec![]),
    ];
    let runner = |_: &Topology, lines: &[String]| {
        assert_eq!(lines, ["{\"type\":\"mark\",\"ts\":1722700800000}"]);
        Ok::<_, Error>(vec![suggestion("home", 7.5)])
    };
    let outcomes = topology.run_tests(&runner).unwrap();
    let shown: String = outcomes.iter().map(|outcome| format!("{outcome}\n")).collect();
    insta::assert_snapshot!("outcomes", shown);
}
