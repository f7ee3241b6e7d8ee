//! Training finds planted rules, starts at the base line, and keeps its promises about seeds,
//! weights of zero, stopping and starting again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;

use tideline_hgt::train::{
    Check, Fitted, Grid, Problem, Rates, Role, Settings, Stop, TRIALS_MAX, TargetRow, coordinates,
    fit, moved, predict, sweep,
};
use tideline_hgt::{Config, Edges, Error, NodeType, Output, Relation, Weights};

const FIXTURES: usize = 240;
const QUOTES: usize = 2;

fn config(outputs: &[&str]) -> Config {
    let output = |name: &&str| Output {
        name: (*name).into(),
        node_type: "fixture".into(),
        width: 2,
        zero_start: true,
    };
    let relation = |source: &str, name: &str, target: &str| Relation {
        source: source.into(),
        name: name.into(),
        target: target.into(),
    };
    Config {
        node_types: vec![
            NodeType { name: "quote".into(), width: 2 },
            NodeType { name: "fixture".into(), width: 3 },
        ],
        relations: vec![relation("quote", "on", "fixture"), relation("fixture", "has", "quote")],
        hidden: 8,
        heads: 2,
        layers: 2,
        dropout: 0.05,
        outputs: outputs.iter().map(output).collect(),
    }
}

fn uniform(seed: u64) -> f32 {
    let mut bits = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ (bits >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
}

fn softmax(line: [f32; 3]) -> [f32; 3] {
    let exps = line.map(f32::exp);
    let sum: f32 = exps.iter().sum();
    exps.map(|it| it / sum)
}

/// Lines move by the product of what the quotes and the fixture say: no linear rule sees it.
fn planted() -> Problem {
    let mut problem = Problem {
        counts: vec![FIXTURES * QUOTES, FIXTURES],
        features: vec![Vec::new(), Vec::new()],
        edges: vec![Edges::default(), Edges::default()],
        target_type: 1,
        rows: Vec::new(),
    };
    for fixture in 0..FIXTURES {
        let signal = |of: usize| 2.0 * uniform((fixture * 16 + of) as u64) - 1.0;
        let mut mean = 0.0;
        for quote in 0..QUOTES {
            let row = (fixture * QUOTES + quote) as u32;
            mean += signal(quote) / QUOTES as f32;
            problem.features[0].extend([signal(quote), signal(8 + quote)]);
            problem.edges[0].sources.push(row);
            problem.edges[0].targets.push(fixture as u32);
            problem.edges[1].sources.push(fixture as u32);
            problem.edges[1].targets.push(row);
        }
        problem.features[1].extend([signal(2), signal(3), signal(4)]);
        let by = [3.0 * mean * signal(2), 1.5 * mean.abs() - 0.6];
        let base = [signal(5) * 0.5, -0.3, signal(6) * 0.5];
        let line = moved(base, by);
        let closing = coordinates(line);
        let opening = coordinates(base);
        let rates = Rates {
            base: [0.3, 0.1],
            truth: [(0.3 + by[0] / 4.0).exp(), (0.1 - by[0] / 4.0).exp()],
        };
        problem.rows.push(TargetRow {
            role: if fixture < FIXTURES * 3 / 4 { Role::Train } else { Role::Validate },
            weight: 1.0,
            base,
            truth: softmax(line),
            closing: Some([closing[0] - opening[0], closing[1] - opening[1]]),
            rates: Some(rates),
        });
    }
    problem
}

fn settings() -> Settings {
    let gentle = Settings { weight_decay: 0.01, ..Settings::default() };
    Settings { learning_rate: 1e-2, steps_max: 150, ..gentle }
}

fn run(config: &Config, problem: &Problem, settings: &Settings) -> Fitted {
    fit(config, None, problem, settings, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Cross-entropy of the truth with itself over the validation rows: the least there is.
fn entropy(problem: &Problem) -> f64 {
    let rows = problem.rows.iter().filter(|it| it.role == Role::Validate);
    let all: Vec<f64> = rows
        .map(|row| -row.truth.iter().map(|it| f64::from(*it) * f64::from(it.ln())).sum::<f64>())
        .collect();
    all.iter().sum::<f64>() / all.len() as f64
}

#[test]
fn a_planted_rule_is_learned_on_all_three_outputs() {
    let problem = planted();
    let quick = Settings { learning_rate: 0.02, steps_max: 160, check_every: 10, ..settings() };
    let fitted = run(&config(&["goals", "outcome", "closing"]), &problem, &quick);
    let (first, best) = (&fitted.history[0].validate, fitted.history.iter());
    let best = best.min_by(|a, b| a.validate_loss.total_cmp(&b.validate_loss)).unwrap();
    assert_eq!(best.step, fitted.best_step);
    assert_eq!(best.validate_loss, fitted.validate_loss);
    let least = entropy(&problem);
    let left = (best.validate.outcome - least) / (first.outcome - least);
    assert!(left < 0.2, "{left} of what could be learned of outcomes is left: {:?}", best.validate);
    assert!(best.validate.closing < 0.2 * first.closing, "{first:?} {:?}", best.validate);
    assert!(best.validate.goals < first.goals - 0.01, "{first:?} {:?}", best.validate);
    assert!(fitted.calibration.iter().all(|it| (0.7..=1.3).contains(it)), "{fitted:?}");
}

#[test]
fn untrained_is_exactly_the_base() {
    let problem = planted();
    let config = config(&["outcome", "closing"]);
    let asked = fit(&config, None, &problem, &settings(), &mut |_| ControlFlow::Break(())).unwrap();
    assert_eq!(asked.stop, Stop::Asked);
    assert_eq!((asked.best_step, asked.history.len()), (0, 1));
    assert_eq!(asked.validate_loss, asked.validate_loss_start);
    assert_eq!(asked.validate_loss_warm, asked.validate_loss_start);
    assert_eq!(asked.calibration, [1.0, 1.0]);
    let outputs =
        predict(&asked.weights, &problem.counts, &problem.features, &problem.edges).unwrap();
    assert_eq!(outputs.len(), 2);
    assert!(outputs.iter().all(|it| it.len() == 2 * FIXTURES && it.iter().all(|it| *it == 0.0)));
}

#[test]
fn rows_that_do_not_count_do_not_matter() {
    let config = config(&["outcome", "closing", "goals"]);
    let short = Settings { steps_max: 10, ..settings() };
    let mut plain = planted();
    for at in (0..FIXTURES).step_by(7) {
        plain.rows[at].weight = 0.0;
    }
    for at in (3..FIXTURES).step_by(11) {
        plain.rows[at].role = Role::Context;
    }
    let mut wild = plain.clone();
    for row in &mut wild.rows {
        if row.weight == 0.0 || row.role == Role::Context {
            row.base = [f32::NAN; 3];
            row.truth = [f32::INFINITY, -3.0, 9.0];
            row.closing = Some([f32::NAN; 2]);
            row.rates = None;
        }
    }
    let fitted = run(&config, &plain, &short);
    assert!(fitted == run(&config, &wild, &short), "a row that does not count counts");
    assert!(fitted != run(&config, &planted(), &short), "a row that counts does not");
}

#[test]
fn one_seed_gives_the_same_bits_with_one_thread_and_with_two() {
    let (config, problem) = (config(&["outcome", "closing", "goals"]), planted());
    let short = Settings { steps_max: 20, ..settings() };
    let with = |threads: usize, settings: &Settings| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&config, &problem, settings))
    };
    let (one, two) = (with(1, &short), with(2, &short));
    let bits = |it: &Fitted| it.weights.values().iter().map(|it| it.to_bits()).collect::<Vec<_>>();
    assert!(bits(&one) == bits(&two) && one == two, "threads change bits");
    assert!(bits(&one) != bits(&with(1, &Settings { seed: 2, ..short.clone() })));
}

#[test]
fn stopping_early_keeps_the_best() {
    // Truths of the validation rows are shuffled: whatever is learned harms them sooner or later.
    let mut problem = planted();
    let truths: Vec<[f32; 3]> = problem.rows.iter().map(|it| it.truth).collect();
    for at in FIXTURES * 3 / 4..FIXTURES {
        problem.rows[at].truth = truths[(at * 37) % FIXTURES];
    }
    let impatient = Settings { patience: 3, check_every: 2, ..settings() };
    let config = config(&["outcome"]);
    let fitted = run(&config, &problem, &impatient);
    assert_eq!(fitted.stop, Stop::Patience);
    let last = fitted.history.last().unwrap();
    assert_eq!(last.step, fitted.best_step + 3 * 2);
    assert!(fitted.history.iter().all(|it| it.validate_loss >= fitted.validate_loss));
    assert!(last.validate_loss > fitted.validate_loss && last.step < impatient.steps_max);
    // Started again from them, the first check finds the loss that was kept.
    let again =
        fit(&config, Some(&fitted.weights), &problem, &impatient, &mut |_| ControlFlow::Break(()));
    assert_eq!(again.unwrap().validate_loss_warm, fitted.validate_loss);
}

#[test]
fn progress_may_end_it_and_gets_the_best_so_far() {
    let (config, problem) = (config(&["outcome"]), planted());
    let mut seen: Vec<Check> = Vec::new();
    let fitted = fit(&config, None, &problem, &settings(), &mut |check| {
        seen.push(*check);
        if check.step >= 25 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!(fitted.stop, Stop::Asked);
    assert_eq!(seen, fitted.history);
    assert_eq!(seen.last().unwrap().step, 25);
    assert!(fitted.best_step > 0 && fitted.validate_loss < fitted.validate_loss_start);
    // The same as if no more steps had been asked for.
    let short = run(&config, &problem, &Settings { steps_max: 25, ..settings() });
    assert!(short.weights == fitted.weights && short.stop == Stop::Steps);
}

#[test]
fn a_warm_start_begins_where_training_stopped_and_goes_on() {
    let (config, problem) = (config(&["outcome"]), planted());
    let short = Settings { steps_max: 30, ..settings() };
    let first = run(&config, &problem, &short);
    let more = Config { dropout: 0.2, ..config.clone() };
    let go_on = |_: &Check| ControlFlow::Continue(());
    let second = fit(&more, Some(&first.weights), &problem, &short, &mut { go_on }).unwrap();
    assert_eq!(second.validate_loss_warm, first.validate_loss);
    assert_eq!(second.weights.config(), &more);
    assert!(second.validate_loss < first.validate_loss);
    assert_eq!(second.validate_loss_start, first.validate_loss_start);

    let other = Config { hidden: 12, ..config };
    let refused = fit(&other, Some(&first.weights), &problem, &short, &mut { go_on });
    assert!(matches!(refused, Err(Error::Weights(_))), "{refused:?}");
}

#[test]
fn numbers_that_overflow_end_the_training_and_leave_the_best_weights() {
    let (config, mut problem) = (config(&["outcome", "goals"]), planted());
    problem.features[1][0] = 1e21;
    let wild = Settings { learning_rate: 1.0, patience: 1000, steps_max: 60, ..settings() };
    let fitted = run(&config, &problem, &wild);
    assert_eq!(fitted.stop, Stop::Diverged);
    assert!(fitted.history.len() < 10 && fitted.validate_loss <= fitted.validate_loss_start);
    let outputs = predict(&fitted.weights, &problem.counts, &problem.features, &problem.edges);
    assert!(outputs.unwrap().iter().flatten().all(|it| it.is_finite()));

    let wrong = vec![1e25; fitted.weights.values().len()];
    let wrong = Weights::new(config.clone(), wrong).unwrap();
    let refused =
        fit(&config, Some(&wrong), &problem, &wild, &mut |_| panic!("nothing is trained"));
    assert!(refused.unwrap_err().to_string().contains("scale features"));
}

#[test]
fn a_sweep_tries_all_and_sorts_the_best_first() {
    let (config, problem) = (config(&["outcome"]), planted());
    let short = Settings { steps_max: 20, ..settings() };
    let grid = Grid { learning_rates: vec![1e-6, 1e-2], hiddens: vec![4, 8], dropouts: vec![] };
    let mut best: Option<Fitted> = None;
    let trials = sweep(&config, &problem, &short, &grid, &mut |trial, fitted| {
        assert_eq!(trial.validate_loss, fitted.validate_loss);
        if best.as_ref().is_none_or(|it| fitted.validate_loss < it.validate_loss) {
            best = Some(fitted.clone());
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(trials.len(), 4);
    assert!(trials.is_sorted_by(|a, b| a.validate_loss <= b.validate_loss));
    assert!(trials[..2].iter().all(|it| it.learning_rate == 1e-2), "{trials:?}");
    assert!(trials.iter().all(|it| it.dropout == config.dropout));
    // A trial is what training with its numbers gives.
    let winner = Config { hidden: trials[0].hidden, ..config.clone() };
    assert!(best.unwrap() == run(&winner, &problem, &short), "a trial is not repeatable");

    let refused = |grid: Grid| {
        let never = &mut |_: &_, _: &_| panic!("all are checked before the first");
        sweep(&config, &problem, &short, &grid, never).unwrap_err().to_string()
    };
    let odd = Grid { hiddens: vec![16, 7], ..Grid::default() };
    assert!(refused(odd).contains("multiple of heads"));
    let many = Grid { dropouts: vec![0.1; TRIALS_MAX + 1], ..Grid::default() };
    assert!(refused(many).contains("at most 256"));
}

fn refusal(change: impl Fn(&mut Config, &mut Problem, &mut Settings)) -> String {
    let (mut config, mut problem, mut settings) = (config(&["outcome"]), planted(), settings());
    change(&mut config, &mut problem, &mut settings);
    fit(&config, None, &problem, &settings, &mut |_| panic!("nothing is trained"))
        .unwrap_err()
        .to_string()
}

#[test]
fn settings_out_of_bounds_are_refused_with_advice() {
    type Change = fn(&mut Settings);
    let changes: [(&str, Change); 9] = [
        ("learning_rate is 0: choose above 0 up to 1", |it| it.learning_rate = 0.0),
        ("learning_rate is NaN: choose above 0 up to 1", |it| it.learning_rate = f64::NAN),
        ("weight_decay is -1: choose 0 to 100", |it| it.weight_decay = -1.0),
        ("steps_max is 0: choose 1 to 100000", |it| it.steps_max = 0),
        ("patience is 0: choose 1 to 100000", |it| it.patience = 0),
        ("check_every is 0: choose 1 to 100000", |it| it.check_every = 0),
        ("closing_weight is inf: choose 0 to 1000", |it| it.closing_weight = f64::INFINITY),
        ("goals_weight is -0.1: choose 0 to 1000", |it| it.goals_weight = -0.1),
        ("gradient_clip is 0: choose above 0", |it| it.gradient_clip = 0.0),
    ];
    for (wanted, change) in changes {
        let message = refusal(|_, _, settings| change(settings));
        assert!(message.contains(wanted), "{message}");
    }
    let unknown = serde_json::from_str::<Settings>(r#"{"learning_rte": 0.1}"#);
    assert!(unknown.unwrap_err().to_string().contains("learning_rte"));
    let partly: Settings = serde_json::from_str(r#"{"seed": 9}"#).unwrap();
    assert_eq!(partly, Settings { seed: 9, ..Settings::default() });
}

#[test]
fn problems_that_cannot_be_learned_are_refused_with_advice() {
    type Change = fn(&mut Config, &mut Problem);
    let changes: [(&str, Change); 10] = [
        ("no output called outcome", |config, _| config.outputs[0].name = "price".into()),
        ("make it 2 wide on the target type", |config, _| config.outputs[0].width = 3),
        ("count from 0", |_, problem| problem.target_type = 2),
        ("give one each", |_, problem| {
            problem.rows.pop();
        }),
        ("set the latest known rows aside", |_, problem| {
            problem.rows.iter_mut().for_each(|it| it.role = Role::Train);
        }),
        ("give training rows a weight", |_, problem| {
            let rows = problem.rows.iter_mut();
            rows.filter(|it| it.role == Role::Train).for_each(|it| it.weight = 0.0);
        }),
        ("row 3: its weight is NaN", |_, problem| problem.rows[3].weight = f32::NAN),
        ("row 5: its truth is", |_, problem| problem.rows[5].truth = [0.5, 0.5, 0.5]),
        ("row 6: its base line is", |_, problem| problem.rows[6].base[1] = f32::NEG_INFINITY),
        ("row 7: its rates are", |_, problem| {
            problem.rows[7].rates = Some(Rates { base: [0.0; 2], truth: [-1.0, 0.0] });
        }),
    ];
    for (wanted, change) in changes {
        let message = refusal(|config, problem, _| change(config, problem));
        assert!(message.contains(wanted), "{wanted}: {message}");
    }
}

#[test]
fn a_fitted_model_survives_json() {
    let short = Settings { steps_max: 5, ..settings() };
    let fitted = run(&config(&["outcome"]), &planted(), &short);
    let json = serde_json::to_string(&fitted).unwrap();
    let read: Fitted = serde_json::from_str(&json).unwrap();
    assert!(read.weights == fitted.weights, "weights changed on the way");
    assert_eq!((read.best_step, read.stop), (fitted.best_step, fitted.stop));
    assert!((read.validate_loss - fitted.validate_loss).abs() < 1e-12);
    assert!(
        serde_json::from_str::<Fitted>(&json.replacen("values\":[", "values\":[1.0,", 1)).is_err()
    );
    let bytes = fitted.weights.to_bytes();
    assert_eq!(Weights::from_bytes(&bytes).unwrap(), fitted.weights);
}
