//! `ocellus bench`: how long each stage takes here, by resolution, and each operation of the image encoder.
//!
//! Two things can be measured: the whole job with a bundle (`job`), and one encoder alone (`alone`), which is how the
//! baselines are had: another file's, or the bundle's without its INT8 regions.
//!
//! The figures are this machine's and nothing else's: they say which, how warm it was and whether it was slowed down
//! (`conditions`), and stand against earlier ones (`compare`). Under an emulator they say nothing about time.
//! There `--markers` puts marks around each measured part instead, between which a plugin counts instructions.

mod alone;
mod camera;
mod chart;
mod compare;
mod conditions;
mod job;
mod marks;
mod ops;
mod page;
mod table;

use crate::{
    build,
    loading::{BundleOption, PolicyName, Threads},
    power::PowerOption,
};
use anyhow::Context;
use conditions::Conditions;
use ocellus::{
    Bundle, Isa, Pool,
    bundle::Manifest,
    encoder::{Input, Pixels},
    sys::{self, Marks},
    vision::{CropMode, DecodeLimits, Frame, Intermediate, MAX_RESOLUTION, Picture, View},
    vision::{decode, normalize, views},
};
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode, sync::Arc};

/// Measure each stage on this machine
#[derive(clap::Args)]
pub struct Arguments {
    /// The picture to run on; the bundle's golden picture by default
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// One resolution instead of all, and no policy
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_RESOLUTION as i64))]
    resolution: Option<u32>,
    /// Policies that choose the resolution, measured after the fixed resolutions
    #[arg(
        long,
        value_name = "NAME,...",
        value_enum,
        value_delimiter = ',',
        conflicts_with_all = ["resolution", "model", "without_regions", "markers"],
        default_values = ["entropy", "cascade", "entropy-cascade"]
    )]
    policy: Vec<PolicyName>,
    /// A camera's frame instead of the picture's file: 1920x1080 in NV12, made from the picture
    #[arg(long, conflicts_with_all = ["model", "without_regions"])]
    camera: bool,
    /// Runs at each resolution, after as many tenths of it as it takes until times are steady
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    iterations: u32,
    /// Also each operation of the image encoder: kernel, multiply-accumulates, time, share
    #[arg(long)]
    ops: bool,
    /// An encoder alone, from an ONNX file with one f32 input [1, 3, n, n]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The encoder alone, without INT8 regions: everything in f32
    #[arg(long)]
    without_regions: bool,
    /// Numbers of threads that share the image encoder's work, each 1 to 16, measured one after the other; auto: what the
    /// board's profile says, or one
    #[arg(
        long,
        value_name = "auto|N,...",
        value_delimiter = ',',
        default_value = "auto"
    )]
    threads: Vec<Threads>,
    /// Marks for an instruction counter around each measured part instead of times, as one JSON object
    #[arg(long, hide = true, conflicts_with_all = ["ops", "iterations"])]
    markers: bool,
    /// An earlier output of `--json`: exit code 4 where a stage became slower beyond noise
    #[arg(long, value_name = "FILE", conflicts_with = "markers")]
    compare: Option<PathBuf>,
    /// Also write one page with charts, which needs no other file
    #[arg(long, value_name = "OUT.html", conflicts_with = "markers")]
    html: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Read heat, clock and the board's own power sensor from the `proc` and `sys` in this folder instead of this machine's
    #[arg(long, value_name = "DIR")]
    machine: Option<PathBuf>,
    #[command(flatten)]
    power: PowerOption,
    #[command(flatten)]
    bundle: BundleOption,
}

/// What was measured.
struct Measured {
    isa: Isa,
    /// The file of the image encoder.
    model: String,
    load_us: u64,
    /// How many there were, one after the other.
    threads: Vec<usize>,
    /// One for each number of threads and resolution.
    rows: Vec<Value>,
    /// One for each number of threads and policy; none of an encoder alone.
    policies: Vec<Value>,
    /// What the bundle's policy makes of the picture; null of an encoder alone.
    policy: Value,
}

impl Arguments {
    /// `count` threads; with markers one that does the parts of all of them.
    fn pool(&self, count: usize, marks: &Arc<Marks>) -> anyhow::Result<Pool> {
        match self.markers {
            false => Threads::Count(count).pool(),
            true => Ok(Pool::marked(count, marks)),
        }
    }

    /// The numbers of threads that are asked for.
    fn counts(&self) -> Vec<usize> {
        self.threads.iter().map(|threads| threads.count()).collect()
    }
}

/// Runs the command: 0, 1 where the times are worth nothing, 4 where something became slower.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    // Before minutes of measuring.
    let base = arguments
        .compare
        .as_deref()
        .map(compare::read)
        .transpose()?;
    let bundle = arguments.bundle.load()?;
    let id = json!({"name": bundle.manifest().name, "sha256": bundle.sha256()});
    let mut conditions = Conditions::before(arguments.machine.as_deref(), &arguments.power)?;
    let measured = if arguments.model.is_some() || arguments.without_regions {
        alone::run(&arguments, &bundle, &mut conditions)?
    } else {
        job::run(&arguments, bundle, &mut conditions)?
    };
    let machine = conditions.json();
    let mut report = json!({
        "version": build::VERSION,
        "commit": build::COMMIT,
        "architecture": std::env::consts::ARCH,
        "cpu": sys::cpu_name(),
        "isa": measured.isa.name(),
        "threads": measured.threads,
        "bundle": id,
        "model": measured.model,
        "int8_regions": !arguments.without_regions,
        "source": if arguments.camera { "camera" } else { "picture" },
        "iterations": arguments.iterations,
        "load_us": measured.load_us,
        "peak_rss_bytes": sys::peak_rss_bytes(),
        "machine": machine,
        "valid": conditions.spoilt().is_none(),
        "invalid_because": conditions.spoilt(),
        "policy": measured.policy,
        "resolutions": measured.rows,
        "policies": measured.policies,
    });
    if let Some(base) = base {
        report["comparison"] = compare::compare(&report, &base)?.into();
    }
    if let Some(path) = &arguments.html {
        std::fs::write(path, page::page(&report)).with_context(|| path.display().to_string())?;
    }
    if arguments.json || arguments.markers {
        println!("{report}");
    } else {
        table::print(&report);
    }
    let rows = report["comparison"].as_array();
    let slower = |row: &Value| row["verdict"] == "slower";
    Ok(match conditions.spoilt() {
        Some(_) if !arguments.markers => ExitCode::from(1),
        _ if rows.is_some_and(|rows| rows.iter().any(slower)) => ExitCode::from(4),
        _ => ExitCode::SUCCESS,
    })
}

/// Runs until times are steady: until the median of a tenth of the iterations is within 2 percent of that of the tenth
/// before, ten tenths at most, and no longer than the measurement itself but for the two that it takes to compare. How often,
/// and whether it got there.
fn warm_up<E>(iterations: u32, mut run: impl FnMut() -> Result<u64, E>) -> Result<(u32, bool), E> {
    let batch = iterations.div_ceil(10);
    let most = (iterations / batch).clamp(2, 10);
    let mut before = None;
    for batches in 1..=most {
        let mut us = (0..batch).map(|_| run()).collect::<Result<Vec<_>, E>>()?;
        us.sort_unstable();
        let median = percentile(&us, 50) as f64;
        if before.is_some_and(|before: f64| (median - before).abs() <= 0.02 * before) {
            return Ok((batches * batch, true));
        }
        before = Some(median);
    }
    Ok((most * batch, false))
}

/// Every row of a report: resolutions, then policies.
fn rows(report: &Value) -> impl Iterator<Item = &Value> {
    ["resolutions", "policies"]
        .into_iter()
        .filter_map(|list| report[list].as_array())
        .flatten()
}

/// What a row is of: a policy's name or a resolution.
fn subject(row: &Value) -> String {
    let policy = row["policy"].as_str();
    policy.map_or_else(|| row["resolution"].to_string(), str::to_owned)
}

/// The encoded picture to run on.
fn picture(arguments: &Arguments, bundle: &Bundle) -> anyhow::Result<Vec<u8>> {
    match &arguments.image {
        Some(path) => std::fs::read(path).with_context(|| path.display().to_string()),
        None => Ok(bundle.file(&bundle.manifest().golden.picture)?.to_vec()),
    }
}

/// A decoded picture, and how a bundle prepares it for its image encoder.
struct Scene<'a> {
    picture: Picture,
    manifest: &'a Manifest,
}

impl<'a> Scene<'a> {
    fn new(bytes: &[u8], manifest: &'a Manifest) -> anyhow::Result<Self> {
        let picture = decode(bytes, &DecodeLimits::default())?;
        Ok(Scene { picture, manifest })
    }

    fn frame(&self) -> anyhow::Result<Frame<'_>> {
        let Picture {
            width, height, rgb, ..
        } = &self.picture;
        Ok(Frame::rgb(*width, *height, rgb)?)
    }

    /// The part of the frame that the encoder sees.
    fn look(&self, frame: &Frame<'_>) -> Intermediate {
        let fraction = self.manifest.image.crop_fraction;
        let view: View = views(CropMode::Centre, frame.width(), frame.height(), fraction)[0];
        Intermediate::read(frame, &view)
    }

    /// That at a resolution, `[side, side, 3]`.
    fn rgb(&self, side: u32) -> anyhow::Result<Vec<u8>> {
        Ok(self.look(&self.frame()?).resize(side as usize))
    }

    /// The same as what an encoder takes.
    fn pixels<'b>(&self, rgb: &'b [u8]) -> Input<'b> {
        let image = &self.manifest.image;
        Input::Pixels(Pixels {
            rgb,
            mean: image.mean,
            std: image.std,
        })
    }

    /// What other runtimes are fed, `[3, side, side]`.
    fn normalized(&self, rgb: &[u8], side: u32) -> Vec<f32> {
        let image = &self.manifest.image;
        normalize(rgb, side as usize, image.mean, image.std)
    }
}

/// The smallest value that at least `percent` of the sorted values do not exceed (nearest rank).
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

/// The percentiles of a stage that took these microseconds.
fn stage(mut us: Vec<u64>) -> Value {
    us.sort_unstable();
    let p = |percent| percentile(&us, percent);
    json!({"p50_us": p(50), "p95_us": p(95), "p99_us": p(99)})
}

#[cfg(test)]
mod tests {
    use super::{percentile, warm_up};

    #[test]
    fn percentiles_are_nearest_ranks() {
        let values: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&values, 50), 100);
        assert_eq!(percentile(&values, 95), 190);
        assert_eq!(percentile(&values, 99), 198);
        assert_eq!(percentile(&[7], 99), 7);
    }

    #[test]
    fn a_warm_up_ends_when_times_are_steady() {
        let mut times = [900, 700, 500, 495, 1].into_iter();
        let warm = warm_up(10, || times.next().ok_or("too long"));
        assert_eq!(warm, Ok((4, true)));
        let mut time = 1;
        let never = warm_up::<()>(10, || {
            time *= 2;
            Ok(time)
        });
        assert_eq!(never, Ok((10, false)));
        // Who asks for a look does not wait for a measurement.
        let mut time = 1;
        let brief = warm_up::<()>(1, || {
            time *= 2;
            Ok(time)
        });
        assert_eq!(brief, Ok((2, false)));
    }
}
