//! The pages: what they say, that nothing breaks out of them, that timing leaves no trace.

use std::fs;
use std::path::Path;

use schema::{Action, ManualClock, Time};

use super::*;
use crate::made_up::{self, HOSTILE};

fn config(folder: &Path) -> Config {
    Config { path: folder.to_owned(), ..Config::default() }
}

fn publish_all(config: &Config, run: impl IntoIterator<Item = Outbox>) {
    let mut report = config.open("report").unwrap();
    run.into_iter().for_each(|outbox| report.publish(&outbox).unwrap());
    report.finish().unwrap();
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn pages(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = entries
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    all.sort();
    all
}

fn assert_same(one: &Path, other: &Path) {
    let (one, other) = (pages(one), pages(other));
    assert_eq!(one.len(), other.len());
    for ((name, text), (other_name, other_text)) in one.iter().zip(&other) {
        assert_eq!(name, other_name);
        assert!(text == other_text, "{name} differs: {}", text_of(text));
    }
}

/// The text of a page, one line an element, without style, attributes and pictures.
fn text_of(page: &str) -> String {
    let body = &page[page.find("<body>").unwrap()..];
    let (mut lines, mut depth_of_svg) = (Vec::new(), 0);
    for piece in body.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap_or_default();
        match (name, tag.starts_with('/')) {
            ("svg", closing) => depth_of_svg = i32::from(!closing),
            ("h1" | "h2", false) => lines.push(format!("[{name}]")),
            ("tr", false) => lines.push("|".to_owned()),
            _ => {}
        }
        let text = text.trim();
        if text.is_empty() || depth_of_svg > 0 && !matches!(name, "title" | "desc") {
            continue;
        }
        match (name, lines.last_mut()) {
            ("th" | "td" | "small" | "b" | "bdi" | "span" | "h1" | "h2", Some(line))
                if line.starts_with(['|', '[']) =>
            {
                line.push(' ');
                line.push_str(text);
            }
            _ => lines.push(text.to_owned()),
        }
    }
    lines.join("\n")
}

/// The tags of a page in balance: what a browser would have to guess is a defect.
fn assert_well_formed(page: &str) {
    let mut open = Vec::new();
    let body = page.replace("<!doctype html>", "");
    for piece in body.split('<').skip(1) {
        let tag = piece.split_once('>').map(|(tag, _)| tag).unwrap();
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if matches!(name, "meta") || tag.ends_with('/') {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
        } else {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn the_first_day_reads_in_order() {
    let folder = tempfile::tempdir().unwrap();
    publish_all(&config(folder.path()), made_up::small_run());
    let page = read(folder.path(), "2022-08-05.html");
    assert_well_formed(&page);
    insta::assert_snapshot!("first_day", text_of(&page));
}

#[test]
fn the_second_day_tells_the_correction() {
    let folder = tempfile::tempdir().unwrap();
    publish_all(&config(folder.path()), made_up::small_run());
    let page = read(folder.path(), "2022-08-06.html");
    assert_well_formed(&page);
    insta::assert_snapshot!("second_day", text_of(&page));
    assert_well_formed(&read(folder.path(), "index.html"));
    insta::assert_snapshot!("index", text_of(&read(folder.path(), "index.html")));
}

#[test]
fn hostile_names_stay_text_and_pages_stand_alone() {
    let folder = tempfile::tempdir().unwrap();
    publish_all(&config(folder.path()), made_up::small_run());
    let page = read(folder.path(), "2022-08-06.html");
    assert!(!page.contains(HOSTILE) && !page.contains("<script"), "markup got through");
    assert!(page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;"));
    for (name, text) in pages(folder.path()) {
        for outside in ["http://", "https://", "url(", "@import", "src=", "<link", "//cdn"] {
            assert!(!text.contains(outside), "{name} reaches outside: {outside}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf%"), "{name}");
    }
}

#[test]
fn an_empty_day_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let silent = made_up::outbox(1, "2022-07-01T12:00:00Z", 1_000.0, Vec::new());
    publish_all(&config(folder.path()), [silent]);
    let text = text_of(&read(folder.path(), "2022-07-01.html"));
    for sentence in [
        "No suggestion was issued or stood on this day.",
        "No bet was settled on this day.",
        "0 bets with a closing line so far: too few",
        "No forecast has met its result yet.",
    ] {
        assert!(text.contains(sentence), "{sentence} is missing: {text}");
    }
}

#[test]
fn days_of_silence_get_pages_and_what_stands_is_carried() {
    let folder = tempfile::tempdir().unwrap();
    let bet = made_up::suggestion(1, 1, Action::Issued);
    let run = [
        made_up::outbox(1, "2022-08-01T12:00:00Z", 1_000.0, vec![bet]),
        made_up::outbox(2, "2022-08-04T12:00:00Z", 1_000.0, Vec::new()),
    ];
    publish_all(&config(folder.path()), run);
    let names: Vec<_> = pages(folder.path()).into_iter().map(|(name, _)| name).collect();
    let days = ["2022-08-01", "2022-08-02", "2022-08-03", "2022-08-04"];
    let expected: Vec<_> = days.iter().map(|day| format!("{day}.html")).collect();
    assert_eq!(names[..4], expected);
    let quiet = text_of(&read(folder.path(), "2022-08-02.html"));
    assert!(quiet.contains("Nothing was heard"), "{quiet}");
    assert!(quiet.contains("1 standing") && quiet.contains("1 carried over"), "{quiet}");
}

#[test]
fn pages_do_not_depend_on_when_they_are_rendered() {
    let run: Vec<Outbox> = made_up::season(20, 5).flatten().collect();
    let [early, late] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    publish_all(&Config { render: Render::Finish, ..config(late.path()) }, run.clone());

    let clock = Arc::new(ManualClock::default());
    let time: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let mut report = config(early.path()).open_with_clock("report", time).unwrap();
    for (index, outbox) in run.iter().enumerate() {
        clock.set(Time::from_ms(index as i64 * 20_000));
        report.publish(outbox).unwrap();
        report.publish(outbox).unwrap();
        if index == 4 {
            assert!(early.path().join("2021-08-07.html").exists(), "today's page is live");
            report.publish(&run[0]).unwrap();
        }
    }
    report.finish().unwrap();
    assert_same(early.path(), late.path());
    report.finish().unwrap();
    assert_same(early.path(), late.path());
}

#[test]
fn old_pages_of_ours_are_deleted_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let keep = Config { keep_days: 5, ..config(folder.path()) };
    publish_all(&keep, made_up::season(3, 2).flatten());
    fs::write(folder.path().join("2021-01-01.html"), "a diary").unwrap();
    fs::write(folder.path().join("notes.html"), "notes").unwrap();
    let later = made_up::season(9, 2).flatten().skip_while(|outbox| outbox.tick < 13);
    publish_all(&keep, later);
    let names: Vec<_> = pages(folder.path()).into_iter().map(|(name, _)| name).collect();
    let ours: Vec<_> = (10..=14).map(|day| format!("2021-08-{day}.html")).collect();
    assert_eq!(names[0], "2021-01-01.html");
    assert_eq!(names[1..6], ours);
    assert_eq!(names[6..], ["index.html", "notes.html"]);
    let oldest = read(folder.path(), "2021-08-10.html");
    assert!(!oldest.contains("rel=\"prev\""), "a link to a deleted page");
    assert!(oldest.contains("href=\"2021-08-11.html\""));
}

#[test]
fn the_index_lists_pages_of_earlier_runs() {
    let folder = tempfile::tempdir().unwrap();
    publish_all(&config(folder.path()), made_up::season(3, 2).flatten());
    let later = made_up::season(9, 2).flatten().skip_while(|outbox| outbox.tick < 13);
    publish_all(&config(folder.path()), later);
    let index = text_of(&read(folder.path(), "index.html"));
    assert_eq!(index.matches("earlier run").count(), 3, "{index}");
    assert_eq!(index.matches("\n|").count(), 1 + 3 + 5, "a head and eight days");
}

#[test]
fn a_long_silence_costs_no_more_than_the_days_kept() {
    let folder = tempfile::tempdir().unwrap();
    let run = [
        made_up::outbox(1, "1995-08-01T12:00:00Z", 1_000.0, Vec::new()),
        made_up::outbox(2, "2022-08-04T12:00:00Z", 1_000.0, Vec::new()),
    ];
    let keep = Config { keep_days: 7, ..config(folder.path()) };
    let mut report = keep.open("report").unwrap();
    for outbox in &run {
        report.publish(outbox).unwrap();
    }
    assert!(report.history.len() <= 10, "{}", report.history.len());
    report.finish().unwrap();
    let names: Vec<_> = pages(folder.path()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names[0], "2022-07-29.html");
    assert_eq!(names.len(), 8);
}

#[test]
fn nothing_published_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("reports");
    let mut report = config(&target).open("report").unwrap();
    report.check().unwrap();
    report.finish().unwrap();
    assert!(!target.exists());
}

#[test]
fn settings_outside_their_range_are_refused() {
    let error = Config { keep_days: 0, ..Config::default() }.open("daily").unwrap_err();
    assert_eq!(error.to_string(), "sink daily: keep_days is 0: give a number from 1 to 3660");
}
