//! `ocellus index`: brings an index of photos up to date with a folder.

use crate::{
    loading::{BundleOption, Threads},
    progress,
};
use indicatif::ProgressBar;
use ocellus::vision::DecodeLimits;
use ocellus_album::{Event, IndexOptions, Indexed, Indexer, Made, Outcome, PictureEmbedder};
use serde_json::json;
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

/// Index photos, to be searched; skips what is unchanged, forgets what is gone, may be ended at any time
#[derive(clap::Args)]
pub struct Arguments {
    /// The folder of photos, with all below it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The index; it is made where there is none
    #[arg(long, value_name = "FILE")]
    db: PathBuf,
    /// The longest side in pixels that is decoded
    #[arg(long, value_name = "PIXELS", default_value_t = DecodeLimits::default().side)]
    max_side: u32,
    /// The most memory in bytes that one picture may take, encoded or decoded
    #[arg(long, value_name = "BYTES", default_value_t = DecodeLimits::default().bytes)]
    max_bytes: u64,
    /// One JSON object a line: each picture that failed, and at last how many met which fate
    #[arg(long)]
    json: bool,
    /// Threads that share the image encoder's work, 1 to 16; auto: what the board's profile says, or one. Results are the same
    #[arg(long, value_name = "auto|N", default_value = "auto")]
    threads: Threads,
    #[command(flatten)]
    bundle: BundleOption,
}

/// Runs the command: 0 when every picture below the folder is in the index, 1 when one could not be read.
pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let engine = Arc::new(arguments.bundle.engine(arguments.threads.pool()?)?);
    let limits = DecodeLimits {
        side: arguments.max_side,
        bytes: arguments.max_bytes,
    };
    let made = Made::with(&engine);
    let mut embedder = PictureEmbedder::new(engine, limits)?;
    let mut indexer = Indexer::open(&arguments.db, &made)?;

    let mut bar = ProgressBar::hidden();
    // A reader of our output that went away ends nothing: the index is what was asked for.
    let mut printed = Ok(());
    let indexed = indexer.run(
        &arguments.folder,
        &mut embedder,
        IndexOptions::default(),
        &mut |event| match event {
            Event::Found(pictures) => bar = progress::bar(pictures),
            Event::Picture(path, outcome) => {
                bar.set_message(path.display().to_string());
                if let Outcome::Failed(failure) = outcome {
                    let print = || print_failure(path, failure, arguments.json);
                    if let Err(error) = bar.suspend(print) {
                        printed = Err(error);
                    }
                }
                bar.inc(1);
            }
            Event::Committed => {}
        },
    );
    bar.finish_and_clear();
    let indexed = indexed?;
    printed?;
    print(&indexed, indexer.album().photos()?, arguments.json)?;
    Ok(ExitCode::from(u8::from(indexed.failed > 0)))
}

fn print_failure(path: &Path, failure: &ocellus_album::Failure, json: bool) -> std::io::Result<()> {
    if json {
        let error = json!({ "kind": failure.kind, "message": failure.message });
        let line = json!({ "path": path.to_string_lossy(), "error": error });
        return writeln!(std::io::stdout().lock(), "{line}");
    }
    eprintln!("ocellus: {}: {}", path.display(), failure.message);
    Ok(())
}

fn print(indexed: &Indexed, photos: u64, json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let Indexed {
        unchanged,
        added,
        changed,
        reused,
        forgotten,
        failed,
    } = indexed;
    if json {
        let line = json!({
            "photos": photos, "unchanged": unchanged, "added": added, "changed": changed, "reused": reused,
            "forgotten": forgotten, "failed": failed,
        });
        return writeln!(out, "{line}");
    }
    writeln!(
        out,
        "{photos} photos: {added} new, {changed} changed, {unchanged} unchanged, {reused} moved or copied, \
         {forgotten} forgotten, {failed} failed"
    )
}
