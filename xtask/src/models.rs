//! `cargo xtask models build|eval`: the Python recipe that makes every file of the default bundle, and the one that
//! measures it.
//!
//! The recipe runs in an environment of its own, made from `models/recipe/requirements.txt`.

use crate::{process, python, repo};
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// Make or measure the default bundle
#[derive(clap::Args)]
pub struct Args {
    /// What to do
    #[arg(value_enum)]
    what: What,
    /// Where to write, instead of the committed place
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What the recipe itself takes
    #[arg(last = true)]
    args: Vec<String>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// Make the bundle's files
    Build,
    /// Measure the bundle on photos and write the report
    Eval,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Eval => "eval",
        }
    }
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    let models = repo::root()?.join("models");
    let python = python::environment(&models.join("recipe/requirements.txt"))?;
    let mut recipe = Command::new(python);
    recipe.args(["-m", "recipe", args.what.name()]);
    if let Some(out) = &args.out {
        // The recipe runs elsewhere, so a relative folder would be another one.
        recipe.arg("--out").arg(std::path::absolute(out)?);
    }
    // Set iteration must not depend on the run; the bundle's bytes do not.
    recipe
        .args(&args.args)
        .env("PYTHONHASHSEED", "0")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    process::run(recipe.current_dir(models))
}
