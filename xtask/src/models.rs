//! `cargo xtask models build|eval|clip`: the Python recipe that makes every file of the default bundle, the one that
//! measures it, and those that make other bundles.
//!
//! The recipe runs in an environment of its own, made from `models/recipe/requirements.txt`.

use crate::{process, python, repo};
use anyhow::{Result, ensure};
use std::path::PathBuf;
use std::process::Command;

/// Make bundles, and measure them
#[derive(clap::Args)]
pub struct Args {
    /// What to do
    #[arg(value_enum)]
    what: What,
    /// Which bundle to make: plus has MiniLM as its text tower, and goes to the cache unless --out says where
    #[arg(long, value_enum, default_value = "default")]
    bundle: Which,
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
    /// Measure the bundles on photos and write the reports
    Eval,
    /// Make the draft of a bundle from a CLIP-family checkpoint; `-- --help` says of what, `ocellus bundle pack` makes it a bundle
    Clip,
    /// Make the small models of random weights that the tests pack
    ClipFixtures,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Which {
    /// The one inside the programs
    Default,
    /// Three times its size, not committed
    Plus,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Eval => "eval",
            Self::Clip => "clip",
            Self::ClipFixtures => "clip-fixtures",
        }
    }
}

/// Runs the verb.
pub fn run(args: &Args) -> Result<()> {
    let models = repo::root()?.join("models");
    let python = python::environment(&models.join("recipe/requirements.txt"))?;
    let mut recipe = Command::new(python);
    recipe.args(["-m", "recipe", args.what.name()]);
    if args.bundle == Which::Plus {
        ensure!(
            matches!(args.what, What::Build),
            "--bundle plus: only `build` makes it; `eval` compares it with the default by itself"
        );
        recipe.args(["--bundle", "plus"]);
    }
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
