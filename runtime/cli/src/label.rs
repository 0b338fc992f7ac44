//! `ocellus label`: which words fit these pictures.

use crate::{
    Usage, heat,
    inputs::{self, Input},
    loading::{self, BundleOption, PolicyOptions, Threads},
    progress,
    routes::{self, Call, RouteOptions, Table},
    taught::TaughtOption,
    words::{LabelOptions, PromptArguments},
};
use ocellus::{
    Blocks, Probabilities, Relevance, Report, Session, SessionOptions,
    bundle::Manifest,
    route::{Choice, Router},
    vision::{CropMode, DecodeLimits, decode},
};
use serde_json::json;
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// How many labels the text form shows.
const SHOWN: usize = 5;

/// Label pictures with the words that fit
#[derive(clap::Args)]
pub struct Arguments {
    /// Pictures, folders of pictures, or - for standard input
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    labels: LabelOptions,
    #[command(flatten)]
    taught: TaughtOption,
    #[command(flatten)]
    prompts: PromptArguments,
    #[command(flatten)]
    policy: PolicyOptions,
    #[command(flatten)]
    route: RouteOptions,
    /// What the encoder sees: the centre square, the whole picture squashed, tiles along the long side, or tiles of pictures of
    /// 16:9 and wider and the centre square of others
    #[arg(
        long,
        default_value = "centre",
        value_name = "centre|squash|tiles|auto"
    )]
    crop: CropMode,
    /// The longest side in pixels that is decoded
    #[arg(long, value_name = "PIXELS", default_value_t = DecodeLimits::default().side)]
    max_side: u32,
    /// The most memory in bytes that one picture may take, encoded or decoded
    #[arg(long, value_name = "BYTES", default_value_t = DecodeLimits::default().bytes)]
    max_bytes: u64,
    /// Also say where each label is: its relevance at each cell, its peak, its local score
    #[arg(long = "where")]
    places: bool,
    /// Write a picture of where the best labels are (PNG); for one image
    #[arg(long, value_name = "OUT.png")]
    heat: Option<PathBuf>,
    /// Side in cells of the blocks that choose labels together; the bundle's if left out
    #[arg(long, value_name = "CELLS", value_parser = clap::value_parser!(u16).range(1..))]
    block: Option<u16>,
    /// How many labels a block attends to; the bundle's if left out, and all of them from their number on
    #[arg(long, value_name = "LABELS", value_parser = clap::value_parser!(u32).range(1..))]
    top_k: Option<u32>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Threads that share the image encoder's work, 1 to 16; auto: what the board's profile says, or one. Results are the same
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    threads: Threads,
    #[command(flatten)]
    bundle: BundleOption,
}

/// Runs the command: 0 when every picture was labelled, 1 when one could not be.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let inputs = inputs::expand(&arguments.images)?;
    let limits = DecodeLimits {
        side: arguments.max_side,
        bytes: arguments.max_bytes,
    };
    if arguments.heat.is_some() && inputs.len() > 1 {
        let message = format!("--heat is a picture of one image, got {}", inputs.len());
        return Err(Usage(message).into());
    }
    let mut answerer = Answerer::of(&arguments, limits)?;

    let progress = progress::bar(inputs.len());
    let mut failed = false;
    for input in &inputs {
        progress.set_message(input.name());
        let result = label(&mut answerer, input, &limits, arguments.heat.as_deref());
        failed |= result.is_err();
        // The bar is taken off the screen while a result is printed.
        progress.suspend(|| print(&input.name(), &result, &arguments))?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(ExitCode::from(u8::from(failed)))
}

/// Who answers.
enum Answerer {
    Session(Session),
    Router(Router),
}

/// An answer, and which route gave it where there are several.
#[derive(serde::Serialize)]
struct Answer {
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<Choice>,
}

impl Answerer {
    fn of(arguments: &Arguments, limits: DecodeLimits) -> anyhow::Result<Answerer> {
        let bundle = &arguments.bundle;
        let mut options = SessionOptions {
            crop: arguments.crop,
            prompts: arguments.prompts.options(),
            limits,
            ..SessionOptions::default()
        };
        if let Some(file) = &arguments.route.routes {
            let places = [
                ("--where", arguments.places),
                ("--heat", arguments.heat.is_some()),
                ("--block", arguments.block.is_some()),
                ("--top-k", arguments.top_k.is_some()),
            ];
            arguments.route.refuse(&arguments.taught, &places)?;
            let call = Call {
                labels: &arguments.labels.any()?,
                bundle,
                policy: &arguments.policy,
                threads: arguments.threads,
                options: &options,
            };
            return Table::read(file)?.router(&call).map(Answerer::Router);
        }
        let bundle = Arc::new(bundle.load()?);
        let taught = arguments.taught.read(&bundle)?;
        let labels = match taught.as_ref().is_some_and(|taught| !taught.is_empty()) {
            true => arguments.labels.any()?,
            false => arguments.labels.labels()?,
        };
        let engine = Arc::new(loading::engine(bundle, arguments.threads.pool()?)?);
        let manifest = engine.bundle().manifest();
        options.policy = Some(arguments.policy.policy(manifest)?);
        options.relevance = relevance(arguments, manifest);
        let mut session =
            Session::new(engine, options).map_err(|error| Usage(error.to_string()))?;
        if let Some(taught) = &taught {
            session.set_examples(taught)?;
        }
        if !labels.is_empty() {
            session.set_labels(labels)?;
        }
        Ok(Answerer::Session(session))
    }

    fn answer(&mut self, picture: &[u8], limits: &DecodeLimits) -> Result<Answer, ocellus::Error> {
        match self {
            Answerer::Session(session) => Ok(Answer {
                report: session.infer_picture(picture)?,
                route: None,
            }),
            Answerer::Router(router) => {
                let routed = router.infer_picture(picture, limits)?;
                Ok(Answer {
                    report: routed.report,
                    route: Some(routed.route),
                })
            }
        }
    }
}

/// Why one picture has no answer: a stable kind and a message.
struct Failure {
    kind: &'static str,
    message: String,
}

/// Whether and how the report says where labels are.
fn relevance(arguments: &Arguments, manifest: &Manifest) -> Relevance {
    let Arguments {
        places,
        heat,
        block,
        top_k,
        ..
    } = arguments;
    if !places && heat.is_none() && block.is_none() && top_k.is_none() {
        return Relevance::Off;
    }
    let Some(defaults) = &manifest.relevance else {
        return Relevance::Calibrated;
    };
    Relevance::Blocks(Blocks {
        block: block.map_or(defaults.block, |side| [usize::from(side); 2]),
        top_k: top_k.map_or(defaults.top_k, |top_k| top_k as usize),
    })
}

fn label(
    answerer: &mut Answerer,
    input: &Input,
    limits: &DecodeLimits,
    heat: Option<&Path>,
) -> Result<Answer, Failure> {
    let bytes = input.read(limits.bytes).map_err(|error| Failure {
        kind: "io",
        message: format!("{error:#}"),
    })?;
    let failure = |error: ocellus::Error| Failure {
        kind: error.kind(),
        message: error.to_string(),
    };
    let answer = answerer.answer(&bytes, limits).map_err(failure)?;
    if let Some(path) = heat {
        let photo = decode(&bytes, limits).map_err(|error| failure(error.into()))?;
        let picture = heat::picture(&photo.rgb, photo.width, photo.height, &answer.report);
        heat::write(&picture, path).map_err(|error| Failure {
            kind: "io",
            message: format!("--heat {}: {error}", path.display()),
        })?;
    }
    Ok(answer)
}

fn print(
    image: &str,
    result: &Result<Answer, Failure>,
    arguments: &Arguments,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match (result, arguments.json) {
        (Ok(answer), true) => {
            #[derive(serde::Serialize)]
            struct Line<'a> {
                image: &'a str,
                #[serde(flatten)]
                answer: &'a Answer,
            }
            writeln!(out, "{}", serde_json::to_string(&Line { image, answer })?)?;
        }
        (Err(failure), true) => {
            let line = json!({ "image": image, "error": { "kind": failure.kind, "message": failure.message } });
            writeln!(out, "{line}")?;
        }
        (Ok(answer), false) => {
            write_text(&mut out, image, &answer.report)?;
            if let Some(choice) = &answer.route {
                writeln!(out, "  route {}", choice.taken)?;
                if arguments.route.explain_route {
                    let reasons = routes::reasons(&choice.candidates, choice.scout_us);
                    reasons
                        .iter()
                        .try_for_each(|reason| writeln!(out, "    {reason}"))?;
                }
            }
        }
        (Err(failure), false) => eprintln!("ocellus: {image}: {}", failure.message),
    }
    Ok(())
}

fn write_text(out: &mut impl Write, image: &str, report: &Report) -> std::io::Result<()> {
    let verdict = if report.no_match {
        "nothing fits"
    } else {
        &*report.labels[0].label
    };
    writeln!(
        out,
        "{image}: {verdict} (match probability {:.2})",
        report.match_probability
    )?;
    for hit in report.labels.iter().take(SHOWN) {
        let place = match hit.place.as_ref().map(|place| place.peak_px) {
            Some(Some([x, y])) => format!(", at {x:.0}, {y:.0}"),
            Some(None) => ", nowhere".to_owned(),
            None => String::new(),
        };
        let taught = hit.taught.map_or_else(String::new, |taught| {
            let (count, similarity) = (taught.examples, taught.similarity);
            format!(" (taught by {count}, the nearest at {similarity:.2})")
        });
        writeln!(
            out,
            "  {:5.1} %  {:+.3}  {}{taught}{place}",
            hit.probability * 100.0,
            hit.score,
            hit.label
        )?;
    }
    if report.labels.len() > SHOWN {
        writeln!(
            out,
            "  ... {} more; --json prints them all",
            report.labels.len() - SHOWN
        )?;
    }
    if report.probabilities == Probabilities::Sigmoid {
        writeln!(
            out,
            "  each probability is its label's own; several may fit, or none"
        )?;
    }
    let us = &report.stages_us;
    writeln!(out, "  {}", report.reason)?;
    writeln!(
        out,
        "  decode {} us, look {} us, resize {} us, encode {} us, heads {} us, total {} us; {}, {} {}",
        us.decode,
        us.look,
        us.resize,
        us.encode,
        us.heads,
        us.total,
        report.isa,
        report.bundle.name,
        &report.bundle.sha256[..12]
    )?;
    report
        .warnings
        .iter()
        .try_for_each(|warning| writeln!(out, "  warning: {warning}"))
}
