//! Derivatives against finite differences, forecasts against a table, and no look ahead.

use proptest::prelude::*;
use schema::Time;

use super::*;
use crate::tearsheet::chance::Random;
use crate::tearsheet::history::Goals;

fn objective(fit: &Fit, matches: &[Match], priors: &[Strength]) -> f64 {
    let ridge = 0.5 / (RIDGE_DEVIATION * RIDGE_DEVIATION);
    let likelihood: f64 = matches
        .iter()
        .map(|game| {
            let means = fit.means(game.home, game.away);
            let tau = Tau::of(game.goals, means, fit.rho).value;
            let of = |i: usize| game.goals[i] * means[i].ln() - means[i];
            game.weight * (tau.ln() + of(0) + of(1))
        })
        .sum();
    let penalty: f64 = fit
        .strengths
        .iter()
        .zip(priors)
        .map(|(s, p)| (s.attack - p.attack).powi(2) + (s.defence - p.defence).powi(2))
        .sum();
    ridge * penalty - likelihood
}

fn made_up(seed: u64, sides: usize, n: usize) -> (Fit, Vec<Match>) {
    let mut random = Random::new(seed);
    let mut small = || 0.8 * random.unit() - 0.4;
    let strengths =
        (0..sides).map(|_| Strength { attack: small(), defence: small() }).collect::<Vec<_>>();
    let truth = Fit { base: 0.1, advantage: 0.25, rho: 0.0, strengths };
    let mut random = Random::new(seed + 1);
    let matches = (0..n)
        .map(|i| {
            let (home, away) = (i % sides, (i + 1 + i / sides % (sides - 1)) % sides);
            let means = truth.means(home, away);
            let draw = |mean: f64, u: f64| {
                let mut left = u;
                poisson(mean)
                    .iter()
                    .take_while(|p| {
                        left -= **p;
                        left > 0.0
                    })
                    .count() as f64
            };
            let goals = [draw(means[0], random.unit()), draw(means[1], random.unit())];
            Match { home, away, goals, weight: 0.3 + 0.7 * random.unit() }
        })
        .collect();
    (truth, matches)
}

#[test]
fn derivatives_agree_with_finite_differences() {
    let (fit, matches) = made_up(1, 5, 200);
    let fit = Fit { rho: -0.06, ..fit };
    let priors = vec![Strength { attack: 0.1, defence: -0.1 }; 5];
    let d = fit.derivatives(&matches, &priors);
    let step = 1e-6;
    let slope = |change: &dyn Fn(&mut Fit, f64)| {
        let at = |by: f64| {
            let mut moved = fit.clone();
            change(&mut moved, by);
            objective(&moved, &matches, &priors)
        };
        (at(step) - at(-step)) / (2.0 * step)
    };
    let close = |found: f64, expected: f64| {
        assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{found} {expected}");
    };
    close(d.gradient[0], slope(&|fit, by| fit.base += by));
    close(d.gradient[1], slope(&|fit, by| fit.advantage += by));
    close(d.rho, slope(&|fit, by| fit.rho += by));
    for i in 0..5 {
        close(d.gradient[2 + 2 * i], slope(&|fit, by| fit.strengths[i].attack += by));
        close(d.gradient[3 + 2 * i], slope(&|fit, by| fit.strengths[i].defence += by));
    }
}

#[test]
fn a_fit_ends_where_nothing_pulls_and_finds_the_truth() {
    let (truth, matches) = made_up(2, 12, 30_000);
    let priors = vec![Strength::default(); 12];
    let start = Fit { base: 0.0, advantage: 0.0, rho: 0.0, strengths: priors.clone() };
    let mut fit = start;
    fit.improve(&matches, &priors);
    let d = fit.derivatives(&matches, &priors);
    assert!(d.gradient.iter().chain([&d.rho]).all(|pull| pull.abs() < 0.01), "{:?}", d.gradient);
    for home in 0..12 {
        let away = (home + 5) % 12;
        let (found, expected) = (fit.forecast(home, away), truth.forecast(home, away));
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 0.02, "{found} {expected}");
        }
    }
    assert!((fit.rho - truth.rho).abs() < 0.02, "{}", fit.rho);
}

#[test]
fn a_forecast_by_hand() {
    // Both sides at mean 1 without a correction: P(draw) = sum (e^-1 / k!)^2 = e^-2 I0(2).
    let even = Fit { base: 0.0, advantage: 0.0, rho: 0.0, strengths: vec![Strength::default(); 2] };
    let p = even.forecast(0, 1);
    assert!((p[1] - 0.308_508).abs() < 1e-6 && (p[0] - p[2]).abs() < 1e-15, "{p:?}");
    // rho takes rho e^-2 from each of 0-0 and 1-1 (both lose when it is positive).
    let corrected = Fit { rho: 0.1, ..even }.forecast(0, 1);
    assert!((corrected[1] - (p[1] - 0.2 * (-2.0_f64).exp())).abs() < 1e-6);
}

fn season(seed: u64, n: i64) -> Vec<Played> {
    let mut random = Random::new(seed);
    (0..n)
        .map(|i| {
            let day = 14_000 + i * 7 / 6;
            let (home, away) = ((i % 12) as u64, ((i % 12 + 1 + i / 12 % 11) % 12) as u64);
            let mut goals = || (random.unit() * 3.6) as u16;
            let known_at = Time::from_ms(day * 86_400_000 + 61_000_000);
            Played {
                league: 0,
                home: TeamId(home),
                away: TeamId(away),
                day,
                cutoff_day: day,
                result: Some(Goals { home: goals(), away: goals(), known_at }),
                is_scored: i >= 100,
            }
        })
        .collect()
}

#[test]
fn a_side_from_elsewhere_starts_below_the_league() {
    let mut played = season(3, 500);
    for fixture in &mut played[420..] {
        if fixture.home == TeamId(0) {
            fixture.home = TeamId(99);
        }
    }
    let mut walker = Walker::default();
    for fixture in &played {
        walker.see(fixture);
    }
    let monday = played[499].day;
    assert!(walker.is_new(TeamId(99), monday) && !walker.is_new(TeamId(1), monday));
    assert!(!walker.is_new(TeamId(99), monday + 2_000), "settled in by then");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn forecasts_use_nothing_from_their_own_week_on(seed in 0_u64..1_000, from in 150_usize..350) {
        let mut played = season(seed, 400);
        let before = forecasts(&played, 1);
        prop_assert!(before[..100].iter().all(Option::is_none), "not scored");
        for p in &before[100..] {
            let p = p.unwrap_or_default();
            let sums_to_one = (p.iter().sum::<f64>() - 1.0).abs() < 1e-12;
            prop_assert!(sums_to_one && p.iter().all(|p| *p > 0.0), "{:?}", p);
        }
        let week = monday(&played[from]);
        for fixture in &mut played {
            if fixture.day >= week {
                fixture.result = fixture.result.map(|goals| Goals { home: 9, away: 0, ..goals });
            }
        }
        let after = forecasts(&played, 1);
        for (i, fixture) in played.iter().enumerate() {
            if fixture.day < week + 7 {
                prop_assert_eq!(before[i], after[i]);
            }
        }
    }

    #[test]
    fn a_result_known_too_late_teaches_nothing(seed in 0_u64..1_000) {
        let mut played = season(seed, 300);
        let late = played[299].day + 1;
        for goals in played[150..160].iter_mut().filter_map(|fixture| fixture.result.as_mut()) {
            goals.known_at = Time::from_ms(late * 86_400_000);
        }
        let before = forecasts(&played, 1);
        for goals in played[150..160].iter_mut().filter_map(|fixture| fixture.result.as_mut()) {
            goals.home += 5;
        }
        prop_assert_eq!(before, forecasts(&played, 1));
    }
}
