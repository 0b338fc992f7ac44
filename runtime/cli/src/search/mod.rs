//! `ocellus search`: photos by words, or by another photo.

mod page;
mod thumbnail;

use crate::{
    Usage,
    inputs::Input,
    loading::{BundleOption, Threads},
    words::PromptArguments,
};
use anyhow::Context;
use ocellus::{Engine, Query, vision::DecodeLimits};
use ocellus_album::{Album, Embed, Hit, Made, PictureEmbedder, SearchOptions, Since};
use std::{fs, io::Write, path::PathBuf, process::ExitCode, sync::Arc};

/// Search indexed photos by words, or by a photo
#[derive(clap::Args)]
pub struct Arguments {
    /// What the photos show, in words
    #[arg(value_name = "WORDS", required_unless_present = "like")]
    words: Option<String>,
    /// Photos that look like this one, instead of words; - for standard input
    #[arg(long, value_name = "PHOTO", conflicts_with = "words")]
    like: Option<PathBuf>,
    /// The index that `ocellus index` made
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    /// Only photos taken then or later: 2024-05-01 or 2024-05-01T12:30:00, by their EXIF data, else by their files (UTC)
    #[arg(long, value_name = "DATE")]
    since: Option<Since>,
    /// How many hits at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    top: u32,
    /// One JSON object a line, one line a hit
    #[arg(long)]
    json: bool,
    /// Write the hits as one page with thumbnails that needs nothing else
    #[arg(long, value_name = "OUT.html")]
    html: Option<PathBuf>,
    #[command(flatten)]
    prompts: PromptArguments,
    #[command(flatten)]
    bundle: BundleOption,
}

/// A hit as it is printed. Field names are the JSON's and stay stable.
#[derive(serde::Serialize)]
struct Found {
    path: String,
    /// The cosine.
    score: f32,
    match_probability: f32,
    no_match: bool,
    taken: String,
    taken_from: &'static str,
}

/// Runs the command: 0 also where nothing fits, which each hit says of itself.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let engine = Arc::new(arguments.bundle.engine(Threads::Auto.pool()?)?);
    // An index that cannot be used is known before anything is computed.
    let album = Album::open(&arguments.db, &Made::with(&engine))?;
    let query = query(&arguments, &engine)?;
    if !query.unknown().is_empty() {
        let words = query.unknown().join(" ");
        log::warn!("left out, not in the vocabulary: {words}");
    }
    let options = SearchOptions {
        top: arguments.top as usize,
        since: arguments.since.clone(),
    };
    let hits = album.search(engine.isa(), query.embedding(), &options)?;
    let found: Vec<Found> = hits.into_iter().map(|hit| found(hit, &query)).collect();
    if let Some(path) = &arguments.html {
        let page = page::page(&asked(&arguments), &found);
        fs::write(path, page).with_context(|| format!("--html {}", path.display()))?;
    }
    print(&found, arguments.json)?;
    Ok(ExitCode::SUCCESS)
}

fn query(arguments: &Arguments, engine: &Arc<Engine>) -> anyhow::Result<Query> {
    let resolution = PictureEmbedder::resolution(engine);
    match (&arguments.words, &arguments.like) {
        (Some(words), _) => {
            Query::prompted(engine, words, resolution, &arguments.prompts.options())
                .context("what is searched for")
        }
        (None, Some(photo)) => {
            let limits = DecodeLimits::default();
            let input = match photo.as_os_str() == "-" {
                true => Input::Standard,
                false => Input::File(photo.clone()),
            };
            let like = || format!("--like {}", input.name());
            let bytes = input.read(limits.bytes).with_context(like)?;
            let mut embedder = PictureEmbedder::new(Arc::clone(engine), limits)?;
            let embedding = embedder.embed(&bytes).with_context(like)?;
            Ok(Query::picture(engine, embedding, resolution)?)
        }
        (None, None) => Err(Usage("expected words or --like, got neither".into()).into()),
    }
}

/// What was searched for, as the page says it.
fn asked(arguments: &Arguments) -> String {
    let mut asked = match (&arguments.words, &arguments.like) {
        (Some(words), _) => words.clone(),
        (None, Some(photo)) => format!("like {}", photo.display()),
        (None, None) => String::new(),
    };
    if let Some(since) = &arguments.since {
        asked += &format!(", since {since}");
    }
    asked
}

fn found(hit: Hit, query: &Query) -> Found {
    Found {
        match_probability: query.match_probability(hit.score),
        no_match: query.no_match(hit.score),
        path: hit.path,
        score: hit.score,
        taken: hit.taken.at,
        taken_from: hit.taken.from.name(),
    }
}

fn print(found: &[Found], json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for hit in found {
        if json {
            writeln!(out, "{}", serde_json::to_string(hit)?)?;
            continue;
        }
        let verdict = if hit.no_match { "  (no match)" } else { "" };
        writeln!(
            out,
            "{:+.3}  {}  {}{verdict}",
            hit.score, hit.taken, hit.path
        )?;
    }
    if found.is_empty() && !json {
        writeln!(out, "no photos")?;
    }
    Ok(())
}
