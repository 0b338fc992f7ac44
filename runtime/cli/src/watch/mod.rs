//! `ocellus watch`: which words fit what a camera sees, frame after frame, and pins that follow.
//!
//! ```text
//! source ── capture, read ──► queue ──► look, resize, encode, heads ──► pins, then what is shown
//!           (eyes.rs)                   (worker.rs)                     the watchdog is fed
//! ```
//!
//! Two threads, and those of the encoder's pool: the next frame is captured and read while one is answered. The newest
//! frame wins where frames come at their own pace; from a file every frame is answered.

mod alerts;
mod brain;
mod eyes;
mod heat;
mod manager;
mod pins;
mod queue;
mod source;
mod view;
mod watchdog;
mod worker;

use crate::{
    Usage,
    loading::{BundleOption, PolicyOptions, Threads},
    power::PowerOption,
    routes::RouteOptions,
    taught::TaughtOption,
    words::{LabelOptions, PromptArguments},
};
use alerts::{Alerts, Condition};
use anyhow::Context;
use brain::Wanted;
use eyes::Eyes;
use heat::Heat;
use manager::Manager;
use ocellus::{
    sys::Stop,
    vision::{CropMode, DecodeLimits},
};
use ocellus_drivers::Level;
use pins::{Pin, PinName};
use queue::Queue;
use source::{Size, Source, Spec, Wait, Wishes};
use std::{
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
    sync::atomic::AtomicU64,
    thread,
    time::{Duration, Instant},
};
use view::View;
use watchdog::Watchdog;
use worker::{Pace, Summary, Worker};

/// Watch a camera: labels for each frame, and pins that follow
#[derive(clap::Args)]
pub struct Arguments {
    /// A camera (/dev/video0), a YUV4MPEG2 file, a folder of pictures, - for YUV4MPEG2 on standard input, or
    /// raw:640x480:i420[:stride=BYTES][:matrix=bt709][:range=full][:FILE] for frames without a header, from a file, a fifo or
    /// standard input
    #[arg(long, value_name = "SOURCE")]
    source: Spec,
    #[command(flatten)]
    labels: LabelOptions,
    #[command(flatten)]
    taught: TaughtOption,
    #[command(flatten)]
    prompts: PromptArguments,
    /// About how large a camera's frames should be; `camera` leaves it to the camera. The encoder sees 512 pixels at most
    #[arg(long, value_name = "WxH", default_value = "640x480")]
    size: Size,
    /// Wait for a camera that is not there yet
    #[arg(long)]
    wait: bool,
    /// Answer every frame, also of a camera or a pipe, which then has to wait
    #[arg(long)]
    every: bool,
    /// Seconds from one answer to the next, at least; what comes meanwhile from a camera or a pipe is dropped
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    interval: Seconds,
    /// End after as many answers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,
    /// An alert, LABEL>SCORE or LABEL>SCORE:OFF: on from a score of a label, 0 to 1, and off below another, three quarters of it
    /// if left out; may be repeated
    #[arg(long, value_name = "CONDITION")]
    on: Vec<Condition>,
    /// The output pin of an alert, by number or name; with :low where low means on. One for each --on, in their order
    #[arg(long, value_name = "PIN[:low]")]
    pin: Vec<PinName>,
    /// The GPIO chip of the pins; /dev/gpiochip0 for numbers, and any for names, if left out
    #[arg(long, value_name = "DEVICE")]
    chip: Option<PathBuf>,
    /// Seconds for which an alert stays on after its label was seen last
    #[arg(long, value_name = "SECONDS", default_value = "2")]
    hold: Seconds,
    #[command(flatten)]
    policy: PolicyOptions,
    #[command(flatten)]
    route: RouteOptions,
    /// What the encoder sees: the centre square, the whole frame squashed, tiles along the long side, each of which costs an
    /// inference, or tiles of frames of 16:9 and wider and the centre square of others
    #[arg(long, default_value = "auto", value_name = "centre|squash|tiles|auto")]
    crop: CropMode,
    /// Also say where each label is: its relevance at each cell, its peak, its local score
    #[arg(long = "where")]
    places: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Threads that share the image encoder's work, 1 to 16; auto: what the board's profile says, or one. Results are the same
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    threads: Threads,
    /// Read heat, throttling and the board's own power sensor from the `proc` and `sys` in this folder instead of this machine's
    #[arg(long, value_name = "DIR")]
    machine: Option<PathBuf>,
    #[command(flatten)]
    power: PowerOption,
    #[command(flatten)]
    bundle: BundleOption,
}

/// A time on a command line.
#[derive(Clone, Copy, Debug)]
struct Seconds(Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seconds, String> {
        let seconds = text.parse().ok();
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        // A year: what is longer is somebody's mistake, and clocks overflow.
        let sane = duration.filter(|duration| duration.as_secs() <= 31_536_000);
        sane.map(Seconds)
            .ok_or_else(|| format!("expected seconds such as 0.5 or 2, got {text:?}"))
    }
}

/// Runs the command: 0 when the source ended or the end was asked for, 1 when something could not be answered.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let wanted = Wanted::of(&arguments)?;
    // Before any thread is started, so that all of them leave the signals alone.
    let stop = Stop::on_signals().context("signals")?;
    let alerts = alerts(&arguments, &wanted.labels())?;
    let heat = Heat::of(arguments.machine.clone(), &arguments.power)?;
    let beats = AtomicU64::new(0);
    let wait = || Wait {
        stop: &stop,
        beats: &beats,
    };
    let wishes = Wishes {
        size: arguments.size,
        limits: DecodeLimits::default(),
        every: arguments.every,
        patient: arguments.wait,
    };
    let source = match Source::open(&arguments.source, wishes, &wait()) {
        // It was waited for, and then was no more.
        Err(_) if stop.is_asked() => return Ok(ExitCode::SUCCESS),
        source => source?,
    };
    let queue = Queue::new(arguments.every || !source.is_live());
    let (brain, readers) = wanted.ready(&arguments)?;
    let manager = Manager::of_environment();
    let tell = |what: &str| manager.iter().for_each(|manager| manager.tell(what));
    let patience = manager.as_ref().and_then(|manager| manager.patience);

    let worker = Worker {
        queue: &queue,
        beats: &beats,
        stop: &stop,
        view: View::of(arguments.json, &source.describe()),
        alerts,
        watchdog: Watchdog::new(patience, || tell("WATCHDOG=1")),
        heat,
        pace: Pace {
            interval: arguments.interval.0,
            frames: arguments.frames.unwrap_or(0),
        },
        brain,
        explain: arguments.route.explain_route,
    };
    let eyes = Eyes {
        source,
        readers,
        queue: &queue,
        wait: wait(),
    };
    tell("READY=1");
    let start = Instant::now();
    let summary = thread::scope(|scope| {
        scope.spawn(|| eyes.run());
        let summary = worker.run();
        stop.ask();
        queue.close();
        summary
    });
    tell("STOPPING=1");
    let summary = summary?;
    view::remark(&sum_up(&summary, start.elapsed()));
    Ok(ExitCode::from(u8::from(summary.failed > 0)))
}

fn alerts(arguments: &Arguments, labels: &[String]) -> anyhow::Result<Alerts<Pin>> {
    let Arguments { on, pin, chip, .. } = arguments;
    if !pin.is_empty() && pin.len() != on.len() {
        let (pins, conditions) = (pin.len(), on.len());
        let message = format!("expected a --pin for each --on, {conditions}, got {pins}");
        return Err(Usage(message).into());
    }
    let mut pins = Vec::new();
    for (at, condition) in on.iter().enumerate() {
        let (level, pin) = match pin.get(at) {
            Some(name) => (name.level, Pin::open(name, chip.as_deref())?),
            None => (Level::High, Pin::None),
        };
        pins.push((condition.clone(), level, pin));
    }
    Alerts::new(labels, arguments.hold.0, pins)
}

fn sum_up(summary: &Summary, time: Duration) -> String {
    let Summary {
        joules,
        answered,
        dropped,
        failed,
        lost,
    } = summary;
    let seconds = time.as_secs_f64();
    let mut words = format!("{answered} frames answered in {seconds:.1} s, {dropped} dropped");
    if seconds > 0.0 {
        words += &format!(", {:.1} frames/s", *answered as f64 / seconds);
    }
    if let Some(joules) = joules.filter(|_| *answered > 0) {
        let each = joules / *answered as f64;
        words += &format!(", {joules:.1} J, {each:.3} J for each answer");
    }
    if *failed > 0 {
        words += &format!(", {failed} failed");
    }
    if *lost > 0 {
        words += &format!(", source lost {lost} times");
    }
    words
}
