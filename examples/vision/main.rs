//! A real image model in the path of messages: is the text on a label the right way up, or upside down?
//!
//! ```sh
//! pip install --no-deps rapidocr-onnxruntime==1.4.4
//! cargo run --release --features ml --example vision
//! cargo run --release --features ml --example vision -- --model cls.onnx label.png another.jpg
//! ```
//!
//! The model is the one that ships in the PyPI package `rapidocr-onnxruntime` (Apache-2.0), 0.6 MB. It is found through
//! `python3`, or through the interpreter that `EDGE_PYTHON` names, or where `--model` says. Without images on the command
//! line, the example prints labels of its own and turns every other one around. Images are cut to four times their height.

mod find;
mod label;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use edge_core::{BoxError, Clock, Message, Source, SystemClock};
use edge_ml::mapping::MappingSpec;
use edge_ml::{Demands, Mapped, ModelPool, PoolOptions, Preflight, ReadOptions, Translate};

/// What becomes of an image, and what of the answer. Nothing else here knows about either.
const MAPPING: &str = r#"
[inputs.x.image]
fit = "crop"
colours = "bgr"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[outputs.text]
take = "argmax"
labels = ["upright", "upside down"]

[outputs.certainty]
take = "max"
"#;

/// An image, what it is called, and which answer is right when that is known.
type Picture = (String, Vec<u8>, Option<&'static str>);

struct Arguments {
    model: Option<PathBuf>,
    images: Vec<PathBuf>,
}

fn arguments() -> Arguments {
    let (mut model, mut images) = (None, Vec::new());
    let mut rest = std::env::args_os().skip(1);
    while let Some(argument) = rest.next() {
        if argument == "--model" {
            model = rest.next().map(Into::into);
        } else {
            images.push(argument.into());
        }
    }
    Arguments { model, images }
}

fn pictures(images: &[PathBuf]) -> Result<Vec<Picture>, BoxError> {
    if images.is_empty() {
        let all = label::TEXTS.iter().enumerate().map(|(number, text)| {
            let turned = number % 2 == 1;
            let right = if turned { "upside down" } else { "upright" };
            Ok(((*text).to_owned(), label::png(text, turned)?, Some(right)))
        });
        return all.collect();
    }
    let read = |path: &PathBuf| {
        let content = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok((path.display().to_string(), content, None))
    };
    images.iter().map(read).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, BoxError> {
    let arguments = arguments();
    let path = match find::model(arguments.model) {
        Ok(path) => path,
        Err(how) => {
            eprintln!("{how}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let pictures = pictures(&arguments.images)?;

    let read = ReadOptions::default().with_shape("x", [1, 3, 48, 192]);
    let (report, model) = Preflight::run(&fs::read(&path)?, &Demands::new(read), &SystemClock);
    println!("{}\n{report}\n", path.display());
    let model = model.filter(|_| report.is_ready()).ok_or("the model may not serve")?;
    let mapping = toml::from_str::<MappingSpec>(MAPPING)?.check(model.signature(), Path::new("."))?;
    let mapped = Mapped::new(mapping);
    let pool = ModelPool::start(&*model, PoolOptions::default())?;

    let mut wrong = 0;
    for (name, image, right) in pictures {
        let message = Message::builder(&Source::telemetry()).body(&image).build();
        let begin = SystemClock.now();
        let inputs = mapped.inputs(&message)?.ok_or("a window waits for more")?;
        let outputs = pool.run(inputs).await?;
        let result = mapped.result(&message, &outputs)?.build();
        let took = SystemClock.now() - begin;
        let answer = String::from_utf8_lossy(result.body()).into_owned();
        let is_wrong = right.is_some_and(|right| !answer.contains(&format!("{right:?}")));
        wrong += usize::from(is_wrong);
        println!(
            "{name:<16} {answer} in {:.1} ms{}",
            took.as_secs_f64() * 1e3,
            if is_wrong { "  WRONG" } else { "" }
        );
    }
    if wrong == 0 { Ok(ExitCode::SUCCESS) } else { Err(format!("{wrong} answers are wrong").into()) }
}
