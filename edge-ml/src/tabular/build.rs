//! From a node of a file to the operator that runs it.

use super::arithmetic::{Binary, Cast, Product, Unary, Where};
use super::arrange::{Concat, Filled, Gather, Reshape, ShapeOf, Transpose};
use super::columns::{Binarizer, Imputer, Normalizer, Scaler};
use super::encode::{Extractor, Mapper, OneHot, Vectorizer, ZipMap};
use super::kernel::Kernel;
use super::linear::{LinearClassifier, LinearRegressor};
use super::reduce::{ArgBest, Fold, Reduce, Softmax};
use super::svm::{SvmClassifier, SvmRegressor};
use super::trees::{TreeClassifier, TreeRegressor};
use crate::onnx::{Attribute, Node, OnnxFile, element_type};
use crate::tensor::Tensor;

type Built = Option<Box<dyn Kernel>>;

fn boxed<K: Kernel + 'static>(kernel: K) -> Built {
    Some(Box::new(kernel))
}

/// Returns whether there is an operator here for the node.
pub(crate) fn is_supported(node: &Node<'_>, file: &OnnxFile<'_>) -> bool {
    kernel(node, file).is_some()
}

/// Returns the operator that runs the node, or `None` when there is none.
pub(super) fn kernel(node: &Node<'_>, file: &OnnxFile<'_>) -> Built {
    let version = file.opset(node.domain).unwrap_or(1);
    match node.domain {
        "ai.onnx.ml" => of_tables(node, version),
        "" | "ai.onnx" => of_tensors(node, version),
        _ => None,
    }
}

fn of_tables(node: &Node<'_>, version: i64) -> Built {
    match node.operator {
        "ArrayFeatureExtractor" => boxed(Extractor),
        "Binarizer" => boxed(Binarizer(node.float("threshold").unwrap_or_default())),
        "CategoryMapper" => boxed(Mapper::category_mapper(node)?),
        "FeatureVectorizer" => {
            let widths = node.ints("inputdimensions").iter().map(|width| usize::try_from(*width).ok());
            boxed(Vectorizer(widths.collect::<Option<_>>()?))
        }
        "Imputer" => boxed(Imputer::read(node)?),
        "LabelEncoder" => boxed(Mapper::label_encoder(node, version)?),
        "LinearClassifier" => boxed(LinearClassifier::read(node)?),
        "LinearRegressor" => boxed(LinearRegressor::read(node)?),
        "Normalizer" => boxed(Normalizer::read(node)?),
        "OneHotEncoder" => boxed(OneHot::read(node)?),
        "Scaler" => boxed(Scaler::read(node)?),
        "SVMClassifier" => boxed(SvmClassifier::read(node)?),
        "SVMRegressor" => boxed(SvmRegressor::read(node)?),
        "TreeEnsembleClassifier" => boxed(TreeClassifier::read(node)?),
        "TreeEnsembleRegressor" => boxed(TreeRegressor::read(node)?),
        "ZipMap" => {
            let texts = node.texts("classlabels_strings")?;
            let numbers = node.ints("classlabels_int64s").iter().map(i64::to_string);
            boxed(ZipMap(if texts.is_empty() { numbers.collect() } else { texts }))
        }
        _ => None,
    }
}

fn of_tensors(node: &Node<'_>, version: i64) -> Built {
    // Before version 7 operators broadcast by attributes of their own.
    if version < 7 {
        return None;
    }
    if let Some(fold) = fold(node.operator) {
        return boxed(Reduce::read(node, fold));
    }
    if let Some(binary) = binary(node.operator) {
        return boxed(binary);
    }
    if let Some(unary) = unary(node.operator) {
        return boxed(unary);
    }
    match node.operator {
        "ArgMax" => boxed(ArgBest::read(node, false)),
        "ArgMin" => boxed(ArgBest::read(node, true)),
        "Cast" => boxed(Cast(element_type(node.int("to")?)?)),
        "Concat" => boxed(Concat(node.int("axis")?)),
        "ConstantOfShape" => match node.attribute("value") {
            None => boxed(Filled(Tensor::scalar(0.0f32))),
            Some(Attribute::Tensor(value)) => boxed(Filled(value.tensor().ok()?)),
            Some(_) => None,
        },
        "Flatten" => boxed(Reshape::Flatten(node.int("axis").unwrap_or(1))),
        "Gather" => boxed(Gather(node.int("axis").unwrap_or(0))),
        "Gemm" => boxed(Product::gemm(node)?),
        "MatMul" => boxed(Product::matmul()),
        "Reshape" => boxed(Reshape::To { allows_zero: node.int("allowzero").unwrap_or(0) != 0 }),
        // Since version 15 a part of the shape can be asked for.
        "Shape" if node.attributes.is_empty() => boxed(ShapeOf),
        "Softmax" => boxed(Softmax::read(node, version)?),
        "Squeeze" => boxed(Reshape::Squeeze(Reshape::axes(node))),
        "Transpose" => boxed(Transpose(node.ints("perm").to_vec())),
        "Unsqueeze" => boxed(Reshape::Unsqueeze(Reshape::axes(node))),
        "Where" => boxed(Where),
        _ => None,
    }
}

fn fold(operator: &str) -> Option<Fold> {
    Some(match operator {
        "ReduceSum" => Fold::Sum,
        "ReduceMean" => Fold::Mean,
        "ReduceMax" => Fold::Max,
        "ReduceMin" => Fold::Min,
        "ReduceProd" => Fold::Prod,
        "ReduceSumSquare" => Fold::SumSquare,
        "ReduceL1" => Fold::L1,
        "ReduceL2" => Fold::L2,
        "ReduceLogSumExp" => Fold::LogSumExp,
        _ => return None,
    })
}

fn binary(operator: &str) -> Option<Binary> {
    Some(match operator {
        "Add" | "Sum" => Binary::Add,
        "Sub" => Binary::Sub,
        "Mul" => Binary::Mul,
        "Div" => Binary::Div,
        "Pow" => Binary::Pow,
        "Max" => Binary::Max,
        "Min" => Binary::Min,
        "Equal" => Binary::Equal,
        "Greater" => Binary::Greater,
        "GreaterOrEqual" => Binary::GreaterOrEqual,
        "Less" => Binary::Less,
        "LessOrEqual" => Binary::LessOrEqual,
        "And" => Binary::And,
        "Or" => Binary::Or,
        "Xor" => Binary::Xor,
        _ => return None,
    })
}

fn unary(operator: &str) -> Option<Unary> {
    Some(match operator {
        "Abs" => Unary::Abs,
        "Neg" => Unary::Neg,
        "Sqrt" => Unary::Sqrt,
        "Exp" => Unary::Exp,
        "Log" => Unary::Log,
        "Relu" => Unary::Relu,
        "Sigmoid" => Unary::Sigmoid,
        "Tanh" => Unary::Tanh,
        "Sign" => Unary::Sign,
        "Reciprocal" => Unary::Reciprocal,
        "Floor" => Unary::Floor,
        "Ceil" => Unary::Ceil,
        "Not" => Unary::Not,
        "Identity" => Unary::Identity,
        _ => return None,
    })
}
