//! A declared mapping beside a model's signature: every mistake found at once.

use std::path::Path;

use edge_core::SystemKey;
use edge_core::fields::{Field, FieldSet};

use super::input::{From, Input, Pick};
use super::output::{Body, Output, Take};
use super::spec::{FieldSpec, ImageSpec, InputSpec, MappingSpec, OnMapError, OutputSpec, PlainOrField};
use super::windows::Key;
use super::{Mapping, MappingMistakes};
use crate::{Dim, ElementType, Port, Signature};

/// The most elements that a tensor may have.
const MAX_ELEMENTS: usize = 64 << 20;

/// The most bytes of a file of labels.
const MAX_LABELS_BYTES: u64 = 1 << 20;

/// Collects what is wrong, and the fields that are asked for.
#[derive(Default)]
pub(super) struct Check {
    mistakes: Vec<(String, String)>,
    fields: Vec<Field>,
}

impl Check {
    pub(super) fn wrong(&mut self, key: impl Into<String>, what: impl Into<String>) {
        self.mistakes.push((key.into(), what.into()));
    }

    fn field(&mut self, key: &str, text: &str) -> usize {
        match text.parse() {
            Ok(field) => self.fields.push(field),
            Err(error) => {
                self.wrong(key, format!("{error}"));
                return 0;
            }
        }
        self.fields.len() - 1
    }

    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        text: Option<&str>,
        known: &[(&str, T)],
        default: T,
    ) -> T {
        let Some(text) = text else { return default };
        if let Some((_, value)) = known.iter().find(|(name, _)| *name == text) {
            return *value;
        }
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        self.wrong(key, format!("{text:?} is not known: write {}", names.join(", ")));
        default
    }
}

impl MappingSpec {
    /// Checks the mapping against a model; files of labels are looked for from `base`.
    ///
    /// # Errors
    /// [`MappingMistakes`] with everything that is wrong, and the model's signature.
    pub fn check(&self, signature: &Signature, base: &Path) -> Result<Mapping, MappingMistakes> {
        let mut check = Check::default();
        let mut inputs = Vec::new();
        for port in signature.inputs() {
            match self.inputs.get(&*port.name) {
                Some(spec) => inputs.extend(input(&mut check, port, spec)),
                None => check.wrong(format!("inputs.{}", port.name), "is missing: the model wants it"),
            }
        }
        for name in self.inputs.keys().filter(|name| signature.input(name).is_none()) {
            check.wrong(format!("inputs.{name}"), "the model has no such input");
        }
        if self.outputs.is_empty() {
            check.wrong("outputs", "is empty: write for instance outputs = { score = { take = \"value\" } }");
        }
        let all = self.outputs.iter();
        let outputs =
            all.filter_map(|(name, spec)| output(&mut check, signature, name, spec, base)).collect();
        let kinds = [("replace", Body::Replace), ("extend", Body::Extend), ("keep", Body::Keep)];
        let body = check.choice("message", self.message.as_deref(), &kinds, Body::Replace);
        let kinds =
            [("dead-letter", OnMapError::DeadLetter), ("pass", OnMapError::Pass), ("drop", OnMapError::Drop)];
        let on_error = check.choice("on_error", self.on_error.as_deref(), &kinds, OnMapError::default());
        let on_error = self.on_error.is_some().then_some(on_error);
        let key = match &self.key {
            Some(text) => Key::Field(check.field("key", text)),
            None => {
                check.fields.push(Field::system(SystemKey::ConnectionDeviceId));
                check.fields.push(Field::system(SystemKey::ConnectionModuleId));
                Key::Identity(check.fields.len() - 2, check.fields.len() - 1)
            }
        };
        let max_keys = self.max_keys.unwrap_or(10_000);
        if max_keys == 0 {
            check.wrong("max_keys", "must be 1 or more");
        }
        if !check.mistakes.is_empty() {
            return Err(MappingMistakes { signature: signature.to_string(), mistakes: check.mistakes });
        }
        let fields = check.fields;
        let (set, signature) = (FieldSet::new(fields.iter().cloned()), signature.clone());
        Ok(Mapping { set, fields, inputs, outputs, body, key, max_keys, on_error, signature })
    }
}

fn input(check: &mut Check, port: &Port, spec: &InputSpec) -> Option<Input> {
    let key = format!("inputs.{}", port.name);
    let shape = shape(check, &key, port, spec)?;
    let elements = shape.iter().try_fold(1usize, |product, dim| product.checked_mul(*dim));
    let Some(elements) = elements.filter(|elements| (1..=MAX_ELEMENTS).contains(elements)) else {
        check.wrong(&key, format!("a tensor {shape:?} is empty or has more than {MAX_ELEMENTS} elements"));
        return None;
    };
    let window = spec.window.unwrap_or(1);
    let ways = [spec.fields.is_some(), spec.image.is_some(), spec.raw];
    if ways.iter().filter(|way| **way).count() != 1 {
        check.wrong(&key, "needs one of fields = [\"$body.path\"], image = {} and raw = true");
        return None;
    }
    if spec.window.is_some() && spec.fields.is_none() || window == 0 {
        check.wrong(format!("{key}.window"), "is for fields, and 1 or more");
    }
    let element = port.element;
    let from = if let Some(fields) = &spec.fields {
        let picks: Vec<Pick> = fields.iter().map(|field| pick(check, &key, field, element)).collect();
        let found =
            picks.iter().fold(0usize, |sum, pick| sum.saturating_add(pick.count)).saturating_mul(window);
        if found != elements {
            check.wrong(
                format!("{key}.fields"),
                format!("give {found} elements, and the tensor {shape:?} of {port} has {elements}"),
            );
        }
        From::Fields(picks)
    } else if let Some(image) = &spec.image {
        picture(check, &key, image, element, &shape)?
    } else {
        if element == ElementType::Text {
            check.wrong(format!("{key}.raw"), "text has no raw form: write fields");
        }
        From::Raw
    };
    Some(Input { element, shape, window, from })
}

/// Returns the shape of the tensor, which must fit the model's.
fn shape(check: &mut Check, key: &str, port: &Port, spec: &InputSpec) -> Option<Vec<usize>> {
    let Some(dims) = &port.dims else {
        if spec.shape.is_none() {
            check.wrong(format!("{key}.shape"), "is missing: the model says nothing of it");
        }
        return spec.shape.clone();
    };
    let Some(shape) = &spec.shape else {
        let size = |dim: &Dim| if let Dim::Fixed(size) = dim { *size } else { 1 };
        return Some(dims.iter().map(size).collect());
    };
    let fits = |(dim, size): (&Dim, &usize)| !matches!(dim, Dim::Fixed(fixed) if fixed != size);
    if dims.len() != shape.len() || !dims.iter().zip(shape).all(fits) {
        check.wrong(format!("{key}.shape"), format!("{shape:?} does not fit {port}"));
        return None;
    }
    Some(shape.clone())
}

fn pick(check: &mut Check, key: &str, field: &PlainOrField, element: ElementType) -> Pick {
    let spec = match field {
        PlainOrField::Plain(field) => FieldSpec { field: field.clone(), ..FieldSpec::default() },
        PlainOrField::Field(spec) => spec.clone(),
    };
    let key = format!("{key}.fields");
    let place = check.field(&key, &spec.field);
    let numbers = [spec.scale, spec.offset, spec.default];
    if numbers.iter().flatten().any(|number| !number.is_finite()) {
        check.wrong(&key, format!("`{}`: scale, offset and default are finite numbers", spec.field));
    }
    if element == ElementType::Text && numbers.iter().flatten().next().is_some() {
        check.wrong(
            &key,
            format!("`{}` is a text for the model: leave out scale, offset and default", spec.field),
        );
    }
    let count = spec.count.unwrap_or(1);
    if count == 0 {
        check.wrong(&key, format!("`{}`: count is 1 or more", spec.field));
    }
    Pick {
        place,
        scale: spec.scale.unwrap_or(1.0),
        offset: spec.offset.unwrap_or(0.0),
        default: spec.default,
        count,
    }
}

#[cfg(not(feature = "image"))]
fn picture(check: &mut Check, key: &str, _: &ImageSpec, _: ElementType, _: &[usize]) -> Option<From> {
    check.wrong(format!("{key}.image"), "this program was built without the feature `image`");
    None
}

#[cfg(feature = "image")]
fn picture(
    check: &mut Check,
    key: &str,
    spec: &ImageSpec,
    element: ElementType,
    shape: &[usize],
) -> Option<From> {
    use super::image::{Colours, Picture};

    let key = format!("{key}.image");
    let &[batch, a, b, c] = shape else {
        check.wrong(
            &key,
            format!("an image has 4 dimensions, and the tensor is {shape:?}: write shape = [1, 3, 224, 224]"),
        );
        return None;
    };
    let by_shape = if matches!(a, 1 | 3) || !matches!(c, 1 | 3) { "nchw" } else { "nhwc" };
    let layout = spec.layout.as_deref().unwrap_or(by_shape);
    let planes =
        check.choice(&format!("{key}.layout"), Some(layout), &[("nchw", true), ("nhwc", false)], true);
    let (channels, height, width) = if planes { (a, b, c) } else { (c, a, b) };
    let kinds = [("rgb", Colours::Rgb), ("bgr", Colours::Bgr), ("grey", Colours::Grey)];
    let by_channels = if channels == 1 { Colours::Grey } else { Colours::Rgb };
    let colours = check.choice(&format!("{key}.colours"), spec.colours.as_deref(), &kinds, by_channels);
    if batch != 1 || colours.channels() != channels {
        check.wrong(&key, format!("one image of {} colours does not fit {shape:?}", colours.channels()));
    }
    let wanted = (spec.width.unwrap_or_default(), spec.height.unwrap_or_default());
    for (name, wanted, found) in [("width", wanted.0, width), ("height", wanted.1, height)] {
        if wanted != 0 && usize::try_from(wanted) != Ok(found) {
            check.wrong(
                format!("{key}.{name}"),
                format!("{wanted} does not fit {shape:?}: write shape too where the model leaves it open"),
            );
        }
    }
    let crop = check.choice(
        &format!("{key}.fit"),
        spec.fit.as_deref(),
        &[("stretch", false), ("crop", true)],
        false,
    );
    let is_float = matches!(element, ElementType::F32 | ElementType::F64 | ElementType::F16);
    let scale = spec.scale.unwrap_or(if is_float { 1.0 / 255.0 } else { 1.0 });
    for (name, list) in [("mean", &spec.mean), ("std", &spec.std)] {
        let Some(list) = list else { continue };
        let sound = list.iter().all(|number| number.is_finite() && (name == "mean" || *number != 0.0));
        if list.len() != channels || !sound {
            check.wrong(
                format!("{key}.{name}"),
                format!("must be {channels} finite numbers, and none of std is 0"),
            );
        }
    }
    Some(From::Image(Picture {
        width: u32::try_from(width).ok()?,
        height: u32::try_from(height).ok()?,
        planes,
        crop,
        colours,
        scale,
        mean: spec.mean.clone().unwrap_or_default(),
        std: spec.std.clone().unwrap_or_default(),
        max_pixels: spec.max_pixels.unwrap_or(1 << 24),
    }))
}

fn output(
    check: &mut Check,
    signature: &Signature,
    name: &str,
    spec: &OutputSpec,
    base: &Path,
) -> Option<Output> {
    let key = format!("outputs.{name}");
    let names = || signature.outputs().iter().map(|port| &*port.name).collect::<Vec<_>>().join(", ");
    let (from, port) = match &spec.from {
        Some(from) => match signature.output(from) {
            Some(found) => found,
            None => {
                check.wrong(
                    format!("{key}.from"),
                    format!("the model has no output `{from}`: write one of {}", names()),
                );
                return None;
            }
        },
        None => match signature.outputs() {
            [only] => (0, only),
            _ => {
                check.wrong(format!("{key}.from"), format!("is missing: write one of {}", names()));
                return None;
            }
        },
    };
    let elements = port.dims.as_ref().and_then(|dims| {
        dims.iter().enumerate().try_fold(1usize, |product, (at, dim)| match dim {
            Dim::Fixed(size) => product.checked_mul(*size),
            _ if at == 0 => Some(product),
            _ => None,
        })
    });
    let index = spec.index.unwrap_or(0);
    if elements.is_some_and(|elements| index >= elements) {
        check.wrong(format!("{key}.index"), format!("{index} is beyond the elements of {port}"));
    }
    let take = spec.take.as_deref().unwrap_or("value");
    for (set, option, of) in [
        (spec.threshold.is_some(), "threshold", "above"),
        (spec.labels.is_some() || spec.labels_file.is_some(), "labels", "argmax"),
    ] {
        if set && take != of {
            check.wrong(format!("{key}.{option}"), format!("is for take = {of:?}"));
        }
    }
    let mut labels = spec.labels.clone().unwrap_or_default();
    if let Some(file) = &spec.labels_file {
        let path = base.join(file);
        match read_labels(&path) {
            Ok(found) => labels = found,
            Err(error) => check
                .wrong(format!("{key}.labels_file"), format!("{} cannot be read: {error}", path.display())),
        }
    } else if labels.is_empty()
        && let Some(known) = &port.labels
    {
        labels = known.to_vec();
    }
    if let Some(elements) =
        elements.filter(|elements| !labels.is_empty() && take == "argmax" && *elements != labels.len())
    {
        check.wrong(
            format!("{key}.labels"),
            format!("are {}, and {port} has {elements} elements", labels.len()),
        );
    }
    if port.element == ElementType::Text && !matches!(take, "value" | "all") {
        check.wrong(format!("{key}.take"), format!("{port} is text: write value or all"));
    }
    let numbers = [spec.scale, spec.offset, spec.threshold];
    if numbers.iter().flatten().any(|number| !number.is_finite()) {
        check.wrong(&key, "scale, offset and threshold are finite numbers");
    }
    let take = match take {
        "value" => Take::Value(index),
        "all" => Take::All,
        "max" => Take::Max,
        "argmax" => Take::ArgMax(labels),
        "above" => Take::Above(index, spec.threshold.unwrap_or(0.5)),
        other => {
            let what = format!("{other:?} is not known: write value, all, argmax, max or above");
            check.wrong(format!("{key}.take"), what);
            return None;
        }
    };
    Some(Output {
        name: name.to_owned(),
        from,
        take,
        scale: spec.scale.unwrap_or(1.0),
        offset: spec.offset.unwrap_or(0.0),
        property: spec.property,
    })
}

fn read_labels(path: &Path) -> std::io::Result<Vec<String>> {
    use std::io::Read as _;

    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_LABELS_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_LABELS_BYTES {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text.lines().map(|line| line.trim_end().to_owned()).collect())
}
