//! One emulated run of `ocellus bench --markers`, and what its regions cost.

use crate::build;
use crate::counter::{Counter, Counts, Moved};
use crate::setup::{self, For};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What is to be measured.
#[derive(Default)]
pub struct Subject<'a> {
    /// One resolution; all without.
    pub resolution: Option<u32>,
    /// An encoder alone; without, the default bundle.
    pub model: Option<&'a Path>,
    /// The encoder alone, in f32.
    pub without_regions: bool,
    /// Work as it is cut for so many threads, done by one; without, for one.
    pub threads: Option<usize>,
}

/// What one resolution costs on one core. Field names are the JSON's and stay stable.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub struct Row {
    /// The emulated core.
    pub cpu: String,
    /// The instruction set of the kernels.
    pub isa: String,
    /// The encoder's file.
    pub model: String,
    pub resolution: u32,
    /// Width and height of the frame that `instructions_total` starts from.
    pub frame_px: [u32; 2],
    pub instructions_encode: u64,
    pub instructions_from_pixels: u64,
    pub instructions_total: u64,
    /// With the bundle's heads only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions_camera: Option<u64>,
    pub instructions_load: u64,
    /// Multiply-accumulates of all steps.
    pub macs: u64,
    /// What these alone would take, each instruction full.
    pub instructions_ideal: u64,
    pub steps: Vec<Step>,
    /// What each of several threads does of an inference: of all threads each time that they share something.
    #[serde(skip)]
    pub shares: Vec<u64>,
}

/// What one step of the encoder costs.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub struct Step {
    pub name: String,
    pub op: String,
    pub kernel: String,
    pub instructions: u64,
    pub macs: u64,
    pub macs_per_instruction: f64,
    /// Of `instructions_encode`.
    pub share: f64,
}

impl Row {
    /// The multiply-accumulates of one full instruction.
    pub fn macs_per_ideal(&self) -> u64 {
        match self.isa.as_str() {
            // SDOT: four bytes in each of four lanes.
            "dotprod" => 16,
            // SMULL, SMLAL: eight bytes.
            _ => 8,
        }
    }

    /// What the encoder takes beyond its steps.
    pub fn instructions_beyond(&self) -> i64 {
        let steps: u64 = self.steps.iter().map(|step| step.instructions).sum();
        self.instructions_encode as i64 - steps as i64
    }
}

/// What `ocellus bench --markers` prints, as far as it is used here.
#[derive(Deserialize)]
struct Printed {
    isa: String,
    model: String,
    resolutions: Vec<Marked>,
}

#[derive(Deserialize)]
struct Marked {
    resolution: u32,
    frame_px: [u32; 2],
    /// The regions' names, in the order in which they ran.
    regions: Vec<String>,
    steps: Vec<MarkedStep>,
}

#[derive(Deserialize)]
struct MarkedStep {
    name: String,
    op: String,
    kernel: String,
    macs: u64,
}

/// A marked region, with what moved in it.
pub struct Region {
    pub name: String,
    pub instructions: u64,
    pub moved: Moved,
}

/// The ARM program and the counter.
pub struct Bench {
    program: PathBuf,
    counter: Counter,
}

impl Bench {
    /// Builds both.
    pub fn ready(profile: &str) -> Result<Self> {
        setup::ensure(For::ArmCount)?;
        // First what fails soon.
        let counter = Counter::build()?;
        let program = build::arm(profile)?;
        Ok(Self { program, counter })
    }

    /// The regions of a subject's job on one core, by resolution.
    pub fn moved(&self, cpu: &str, subject: &Subject) -> Result<Vec<(u32, Vec<Region>)>> {
        let arguments = arguments(subject)?;
        let run = self.counter.run_with_caches(cpu, &self.program, &arguments);
        let (counts, printed) = run?;
        let printed: Printed = serde_json::from_str(&printed)
            .with_context(|| format!("`ocellus bench --markers` printed {printed:?}"))?;
        ensure!(
            counts.regions.len() == counts.moved.len(),
            "{} regions were counted, and {} of them moved something",
            counts.regions.len(),
            counts.moved.len()
        );
        let mut counted = counts.regions.into_iter().zip(counts.moved);
        let of = |marked: Marked| {
            let named = marked.regions.into_iter().zip(counted.by_ref());
            let regions = named.map(|(name, (instructions, moved))| Region {
                name,
                instructions,
                moved,
            });
            (marked.resolution, regions.collect())
        };
        Ok(printed.resolutions.into_iter().map(of).collect())
    }

    /// The counter, for another program.
    pub fn counter(&self) -> &Counter {
        &self.counter
    }

    /// Counts on one core; a row for each resolution.
    pub fn count(&self, cpu: &str, subject: &Subject) -> Result<Vec<Row>> {
        let arguments = arguments(subject)?;
        let (counts, printed) = self.counter.run(cpu, &self.program, &arguments)?;
        let printed = serde_json::from_str(&printed)
            .with_context(|| format!("`ocellus bench --markers` printed {printed:?}"))?;
        rows(cpu, printed, &counts)
    }
}

fn arguments(subject: &Subject) -> Result<Vec<String>> {
    let mut arguments = vec!["bench".to_owned(), "--markers".to_owned()];
    if let Some(side) = subject.resolution {
        arguments.push(format!("--resolution={side}"));
    }
    if let Some(model) = subject.model {
        let model = std::path::absolute(model)?;
        let model = model.to_str().context("the model's path is not UTF-8")?;
        arguments.push(format!("--model={model}"));
    }
    if subject.without_regions {
        arguments.push("--without-regions".to_owned());
    }
    // Else the emulated machine would say how many.
    let threads = subject.threads.unwrap_or(1);
    arguments.push(format!("--threads={threads}"));
    Ok(arguments)
}

/// Puts names and counts together.
fn rows(cpu: &str, printed: Printed, counts: &Counts) -> Result<Vec<Row>> {
    let named: usize = printed.resolutions.iter().map(|m| m.regions.len()).sum();
    ensure!(
        named == counts.regions.len(),
        "the program names {named} regions and {} were counted",
        counts.regions.len()
    );
    let mut counted = counts.regions.iter().copied();
    let (isa, model) = (printed.isa, file_name(&printed.model));
    printed
        .resolutions
        .into_iter()
        .map(|marked| {
            let mine: Vec<u64> = counted.by_ref().take(marked.regions.len()).collect();
            row(cpu, &isa, &model, marked, &mine)
        })
        .collect()
}

fn row(cpu: &str, isa: &str, model: &str, marked: Marked, counts: &[u64]) -> Result<Row> {
    let regions = || marked.regions.iter().zip(counts.iter().copied());
    let region = |name: &str| {
        let mut found = regions().filter(|(region, _)| *region == name);
        let found = found.next().map(|(_, count)| count);
        found.with_context(|| format!("the program marks no region {name}"))
    };
    let instructions_encode = region("encode")?;
    let (instructions_from_pixels, instructions_total) = (region("from_pixels")?, region("total")?);
    let instructions_load = region("load")?;
    let instructions_camera = region("camera").ok();
    let all = |name: &str| -> Vec<u64> {
        let named = regions().filter(|(region, _)| *region == name);
        named.map(|(_, count)| count).collect()
    };
    let (of_steps, shares) = (all("step"), all("share"));
    ensure!(
        of_steps.len() == marked.steps.len(),
        "the program lists {} steps and marks {}",
        marked.steps.len(),
        of_steps.len()
    );
    let steps: Vec<Step> = marked
        .steps
        .into_iter()
        .zip(of_steps)
        .map(|(step, instructions)| Step {
            name: step.name,
            op: step.op,
            kernel: step.kernel,
            instructions,
            macs: step.macs,
            macs_per_instruction: step.macs as f64 / instructions.max(1) as f64,
            share: instructions as f64 / instructions_encode.max(1) as f64,
        })
        .collect();
    let mut row = Row {
        cpu: cpu.to_owned(),
        isa: isa.to_owned(),
        model: model.to_owned(),
        resolution: marked.resolution,
        frame_px: marked.frame_px,
        instructions_encode,
        instructions_from_pixels,
        instructions_total,
        instructions_camera,
        instructions_load,
        macs: steps.iter().map(|step| step.macs).sum(),
        instructions_ideal: 0,
        steps,
        shares,
    };
    row.instructions_ideal = row.macs / row.macs_per_ideal();
    Ok(row)
}

/// A report names no folder of the machine it was made on.
fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name();
    name.map_or_else(
        || path.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

#[cfg(test)]
pub mod tests {
    use super::*;

    fn printed() -> Printed {
        let text = r#"{"isa":"dotprod","model":"folder/image.onnx","threads":1,"resolutions":[
            {"resolution":112,"frame_px":[451,300],"regions":["step","step","load","total","camera","from_pixels","encode"],
             "steps":[{"name":"c","op":"Conv","kernel":"k","macs":3200},{"name":"p","op":"Pool","kernel":"l","macs":0}]},
            {"resolution":160,"frame_px":[451,300],"regions":["load","total","from_pixels","share","share","encode"],"steps":[]}]}"#;
        serde_json::from_str(text).unwrap()
    }

    /// Two rows of made-up figures.
    pub fn made_up() -> Vec<Row> {
        let counts = Counts {
            regions: vec![
                800, 150, 2500, 1500, 4000, 1100, 1000, 95, 90, 80, 40, 38, 70,
            ],
            moved: Vec::new(),
            total: 10_000,
        };
        rows("cortex-a76", printed(), &counts).unwrap()
    }

    #[test]
    fn each_count_finds_its_name() {
        let rows = made_up();
        let [low, high] = &rows[..] else {
            panic!("{rows:?}");
        };
        assert_eq!((low.resolution, low.instructions_encode), (112, 1000));
        assert_eq!(low.instructions_from_pixels, 1100);
        assert_eq!(
            (low.instructions_total, low.instructions_beyond()),
            (1500, 50)
        );
        assert_eq!((low.instructions_load, high.instructions_load), (2500, 95));
        assert_eq!(low.instructions_camera, Some(4000));
        assert_eq!(high.instructions_camera, None);
        assert_eq!((low.macs, low.instructions_ideal), (3200, 200));
        assert_eq!(low.model, "image.onnx");
        let step = &low.steps[0];
        assert_eq!((step.instructions, step.macs_per_instruction), (800, 4.0));
        assert_eq!(step.share, 0.8);
        assert_eq!((high.resolution, high.instructions_total), (160, 90));
        assert_eq!((&high.shares[..], low.shares.len()), (&[40, 38][..], 0));
    }

    #[test]
    fn counts_without_a_name_are_not_guessed_at() {
        let counts = Counts {
            regions: vec![1; 9],
            moved: Vec::new(),
            total: 10,
        };
        let error = rows("cortex-a76", printed(), &counts).unwrap_err();
        assert!(error.to_string().contains("13 regions and 9"), "{error}");
    }

    #[test]
    fn without_dot_product_an_ideal_instruction_does_half() {
        let mut row = made_up().remove(0);
        row.isa = "neon".into();
        assert_eq!(row.macs_per_ideal(), 8);
    }

    #[test]
    fn the_program_is_told_the_subject() {
        let subject = Subject {
            resolution: Some(160),
            model: Some(Path::new("/m/a b.onnx")),
            without_regions: true,
            threads: Some(4),
        };
        let words = arguments(&subject).unwrap();
        let expected = [
            "bench",
            "--markers",
            "--resolution=160",
            "--model=/m/a b.onnx",
            "--without-regions",
            "--threads=4",
        ];
        assert_eq!(words, expected);
    }
}
