//! The reference training step, beside `PyTorch` in the same run.
//!
//!     cargo bench --bench hgt [-- --python PATH] [--rounds 3] [--steps 5] [--threads 2]
//!
//! A step is forward, mean cross-entropy, backward and Adam over the whole reference graph. With
//! `--python` (an interpreter with torch, torch-geometric and numpy) the same weights first give
//! outputs and gradients on all three sides, which are compared; then every round runs this crate,
//! torch-geometric's `HGTConv` and plain `PyTorch` after each other, each in a process of its own, on
//! the same number of threads. Fails when outputs or gradients differ; says when a limit is missed.

#![allow(clippy::print_stdout, reason = "a benchmark reports on standard output")]
#![allow(clippy::default_trait_access, reason = "the only device there is")]

mod reference;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use burn::backend::Autodiff;
use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Int, Tensor, TensorData};
use burn_flex::Flex;
use reference::{Random, Reference};
use schema::{Clock, SystemClock};
use tideline_hgt::{Graph, Hgt, Mode, Weights};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Trained = Autodiff<Flex>;

/// Greatest share of `HGTConv`'s time.
const HGTCONV_SHARE_MAX: f64 = 0.15;
/// Greatest share of plain `PyTorch`'s time.
const PLAIN_SHARE_MAX: f64 = 0.5;
/// Greatest share of either's peak memory.
const MEMORY_SHARE_MAX: f64 = 0.2;
/// Greatest difference of an output.
const OUTPUT_APART_MAX: f32 = 1e-5;
/// Greatest difference of a gradient, of the parameter's largest.
const GRADIENT_APART_MAX: f32 = 1e-4;
/// Kernel ticks a second in `/proc/self/stat`: fixed on Linux.
const CPU_TICKS: f64 = 100.0;
/// As the Python sides.
const LEARNING_RATE: f64 = 1e-3;

struct Arguments {
    python: Option<PathBuf>,
    rounds: usize,
    steps: usize,
    threads: usize,
    /// This process only measures this crate.
    own: bool,
}

fn main() -> Result<()> {
    let arguments = arguments(std::env::args().skip(1))?;
    if arguments.own {
        println!("{}", serde_json::to_string(&own_steps(arguments.steps)?)?);
        return Ok(());
    }
    let Some(python) = &arguments.python else {
        println!("SKIPPED: HGTConv and plain PyTorch, since no --python PATH was given; no limit");
        println!("SKIPPED: of time or memory can be checked, nor outputs and gradients.");
        for round in 1..=arguments.rounds {
            println!("round {round}: {}", own(&arguments)?);
        }
        return Ok(());
    };
    let folder = std::env::temp_dir().join(format!("tideline-hgt-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = beside_python(&arguments, python, &folder);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments> {
    let mut parsed = Arguments { python: None, rounds: 3, steps: 5, threads: 2, own: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("give a value after {word}"));
        let number = |value: String| value.parse::<usize>().context("give a whole number");
        match word.as_str() {
            "--python" => parsed.python = Some(value()?.into()),
            "--rounds" => parsed.rounds = number(value()?)?.max(1),
            "--steps" => parsed.steps = number(value()?)?.max(1),
            "--threads" => parsed.threads = number(value()?)?.max(1),
            "--own" => parsed.own = true,
            "--bench" => {}
            _ => bail!("{word} is not an option of hgt"),
        }
    }
    Ok(parsed)
}

/// What a side's process reports.
#[derive(serde::Serialize, serde::Deserialize)]
struct Steps {
    ms: Vec<f64>,
    /// CPU time a step, all threads.
    cpu_ms: f64,
    loss: f64,
    peak_mib: f64,
}

impl Steps {
    fn median(&self) -> f64 {
        median(self.ms.clone())
    }

    fn least(&self) -> f64 {
        self.ms.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

impl std::fmt::Display for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ms, least, cpu) = (self.median(), self.least(), self.cpu_ms);
        let (peak, loss) = (self.peak_mib, self.loss);
        write!(f, "{ms:.0} ms a step (least {least:.0}, CPU {cpu:.0}), ")?;
        write!(f, "peak {peak:.0} MiB, last loss {loss:.5}")
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn beside_python(arguments: &Arguments, python: &Path, folder: &Path) -> Result<()> {
    let reference = Reference::new();
    let weights = start_weights(&reference)?;
    reference.write(folder, &weights)?;
    compare(&reference, &weights, arguments, python, folder)?;
    drop(reference);
    let sides = ["hgtconv", "plain"];
    let (mut ours, mut theirs) = (Vec::new(), [Vec::new(), Vec::new()]);
    for round in 1..=arguments.rounds {
        let own = own(arguments)?;
        println!("round {round}: tideline  {own}");
        for (side, theirs) in sides.iter().zip(&mut theirs) {
            let line = run_python(python, side, folder, arguments.steps, arguments.threads)?;
            let steps: Steps = serde_json::from_str(line.trim())?;
            let (time, memory) = (own.median() / steps.median(), own.peak_mib / steps.peak_mib);
            println!("round {round}: {side:9} {steps}: ratios {time:.3} and {memory:.3}");
            theirs.push(steps);
        }
        ours.push(own);
    }
    for ((side, theirs), limit) in
        sides.iter().zip(&theirs).zip([HGTCONV_SHARE_MAX, PLAIN_SHARE_MAX])
    {
        let share = |of: &dyn Fn(&Steps) -> f64| {
            let middle = |all: &[Steps]| median(all.iter().map(of).collect());
            middle(&ours) / middle(theirs)
        };
        let word = |held: bool| if held { "holds" } else { "MISSED" };
        let (time, memory) = (share(&Steps::median), share(&|it| it.peak_mib));
        println!(
            "against {side}: time {time:.3} (limit {limit}: {}; least steps {:.3}, CPU {:.3}), \
             memory {memory:.3} (limit {MEMORY_SHARE_MAX}: {})",
            word(time <= limit),
            share(&Steps::least),
            share(&|it| it.cpu_ms),
            word(memory <= MEMORY_SHARE_MAX)
        );
    }
    Ok(())
}

/// This crate's steps in a process of its own.
fn own(arguments: &Arguments) -> Result<Steps> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--own", "--steps", &arguments.steps.to_string()])
        .env("RAYON_NUM_THREADS", arguments.threads.to_string())
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn run_python(
    python: &Path,
    side: &str,
    folder: &Path,
    steps: usize,
    threads: usize,
) -> Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/hgt/pytorch.py");
    let output = Command::new(python)
        .arg(script)
        .arg(side)
        .arg(folder)
        .args([steps.to_string(), threads.to_string()])
        .env("OMP_NUM_THREADS", threads.to_string())
        .output()
        .with_context(|| format!("cannot run {}", python.display()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Weights with priors and skips away from 1.
fn start_weights(reference: &Reference) -> Result<Weights> {
    let model: Hgt<Flex> = reference.config.init(&Default::default(), 5)?;
    let weights = model.weights()?;
    let mut random = Random(77);
    let mut values = Vec::with_capacity(weights.values().len());
    for (name, _, numbers) in weights.parameters() {
        let by = if name.ends_with("prior") || name.ends_with("skip") { 0.3 } else { 0.0 };
        values.extend(numbers.iter().map(|it| it + by * random.standard()));
    }
    Ok(Weights::new(reference.config.clone(), values)?)
}

/// Model, graph and labels for training.
struct Training {
    model: Hgt<Trained>,
    graph: Graph<Trained>,
    labels: Tensor<Trained, 1, Int>,
}

impl Training {
    fn new(reference: &Reference, weights: &Weights) -> Result<Self> {
        let device = Default::default();
        let Reference { config, counts, features, edges, labels } = reference;
        let count = labels.len();
        Ok(Self {
            model: weights.init(&device)?,
            graph: Graph::new(config, counts, features, edges, &device)?,
            labels: Tensor::from_data(TensorData::new(labels.clone(), [count]), &device),
        })
    }

    /// Outputs and loss.
    fn forward(&self) -> Result<(Tensor<Trained, 2>, Tensor<Trained, 1>)> {
        let outputs = self.model.forward(&self.graph, Mode::Training { seed: 0 })?;
        let output = outputs.into_iter().next().context("an output is configured")?;
        let entropy = CrossEntropyLossConfig::new().init(&output.device());
        let loss = entropy.forward(output.clone(), self.labels.clone());
        Ok((output, loss))
    }
}

fn own_steps(steps: usize) -> Result<Steps> {
    let reference = Reference::new();
    let weights = start_weights(&reference)?;
    let mut training = Training::new(&reference, &weights)?;
    drop(reference);
    let mut adam = AdamConfig::new().with_epsilon(1e-8).init::<Trained, Hgt<Trained>>();
    let clock = SystemClock::new();
    let (mut ms, mut last, mut cpu) = (Vec::new(), 0.0, 0.0);
    for step in 0..=steps {
        // The first step warms up.
        if step == 1 {
            cpu = cpu_seconds()?;
        }
        let start = clock.elapsed_ns();
        let (_, loss) = training.forward()?;
        let gradients = GradientsParams::from_grads(loss.backward(), &training.model);
        training.model = adam.step(LEARNING_RATE, training.model, gradients);
        ms.push((clock.elapsed_ns() - start) as f64 / 1e6);
        last = f64::from(loss.into_scalar());
    }
    ms.remove(0);
    let cpu_ms = (cpu_seconds()? - cpu) * 1e3 / steps as f64;
    Ok(Steps { ms, cpu_ms, loss: last, peak_mib: peak_mib()? })
}

/// CPU time of this process, all threads.
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').context("this system does not tell CPU time")?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / CPU_TICKS)
}

fn peak_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"));
    let kib: f64 = line
        .and_then(|it| it.split_whitespace().next())
        .and_then(|it| it.parse().ok())
        .context("this system does not tell a process's peak memory")?;
    Ok(kib / 1024.0)
}

struct Gradients<'a> {
    all: &'a <Trained as AutodiffBackend>::Gradients,
    found: Vec<Vec<f32>>,
}

impl ModuleVisitor<Trained> for Gradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Trained, D>>) {
        let gradient = param.val().grad(self.all);
        let values = gradient.map(|it| it.into_data().iter::<f32>().collect::<Vec<f32>>());
        self.found.push(values.unwrap_or_else(|| vec![0.0; param.shape().num_elements()]));
    }
}

/// Outputs and gradients of the same weights on all sides.
fn compare(
    reference: &Reference,
    weights: &Weights,
    arguments: &Arguments,
    python: &Path,
    folder: &Path,
) -> Result<()> {
    let training = Training::new(reference, weights)?;
    let (outputs, loss) = training.forward()?;
    let all = loss.backward();
    let mut gradients = Gradients { all: &all, found: Vec::new() };
    training.model.visit(&mut gradients);
    let outputs: Vec<f32> = outputs.into_data().iter::<f32>().collect();
    for side in ["hgtconv", "plain"] {
        run_python(python, side, folder, 0, arguments.threads)?;
        let (apart, scale) =
            largest(&reference::read(folder, &format!("{side}.outputs"))?, &outputs)?;
        println!("{side}: outputs up to {scale:.2} differ by at most {apart:.1e}");
        ensure!(apart <= OUTPUT_APART_MAX, "the outputs differ");
        let theirs = reference::read(folder, &format!("{side}.gradients"))?;
        ensure!(theirs.len() == weights.values().len(), "there are other gradients");
        let (mut rest, mut worst) = (&theirs[..], (0.0, String::new()));
        for ((name, ..), ours) in weights.parameters().into_iter().zip(&gradients.found) {
            let (theirs, tail) = rest.split_at(ours.len());
            rest = tail;
            let (apart, scale) = largest(theirs, ours)?;
            let share = if apart == 0.0 { 0.0 } else { apart / scale };
            if share >= worst.0 {
                worst = (share, name);
            }
        }
        println!(
            "{side}: gradients differ by at most {:.1e} of the largest ({})",
            worst.0, worst.1
        );
        ensure!(worst.0 <= GRADIENT_APART_MAX, "the gradients differ");
    }
    Ok(())
}

/// Greatest difference, and greatest number of the first.
fn largest(theirs: &[f32], ours: &[f32]) -> Result<(f32, f32)> {
    ensure!(
        theirs.len() == ours.len(),
        "one side has {} numbers, the other {}",
        theirs.len(),
        ours.len()
    );
    let apart = theirs.iter().zip(ours).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    Ok((apart, theirs.iter().fold(0.0_f32, |most, x| most.max(x.abs()))))
}
