"""Makes cases.txt, or the file given: models and their answers, by scikit-learn, skl2onnx and onnxruntime.

A case is its name, its model in Base64, and a line for each tensor: `in` or `out`, its name, element type, shape and elements.
Text is in percent encoding; floats are in hexadecimal, so that nothing is rounded on the way.
"""

import base64
import sys
import urllib.parse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType, DoubleTensorType
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (ExtraTreesRegressor, GradientBoostingClassifier, GradientBoostingRegressor,
                              IsolationForest, RandomForestClassifier, RandomForestRegressor)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (Binarizer, KBinsDiscretizer, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder,
                                   OrdinalEncoder, PolynomialFeatures, RobustScaler, StandardScaler)
from sklearn.decomposition import PCA
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.svm import SVC, SVR, LinearSVC, NuSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

ROWS = 12
random = np.random.default_rng(7)
X = random.normal(size=(300, 5)).astype(np.float32) * np.array([1, 10, 0.1, 3, 1], np.float32)
noise = random.normal(size=300)
y = (2 * X[:, 0] - 0.3 * X[:, 1] + X[:, 3] ** 2 + noise).astype(np.float32)
two = (y > np.median(y)).astype(np.int64)
three = np.digitize(y, np.quantile(y, [0.33, 0.66])).astype(np.int64)
words = np.array(["idle", "running", "worn out"])[three]
probe = np.concatenate([X[:ROWS - 3], random.normal(size=(3, 5)).astype(np.float32) * 20])
kinds = np.array(["pump", "fan", "belt"])[random.integers(0, 3, 300)]
sites = random.integers(1, 5, 300).astype(np.int64)


def converted(estimator, types, **options):
    return to_onnx(estimator, initial_types=types, target_opset={"": 18, "ai.onnx.ml": 3}, **options)


def floats(columns=5):
    return [("x", FloatTensorType([None, columns]))]


def pipelines():
    """Yields name, model and inputs of each case made by skl2onnx."""
    def fit(name, estimator, target, **options):
        estimator.fit(X, target)
        try:
            return name, converted(estimator, floats(), **options), {"x": probe}
        except Exception as error:
            print(f"{name}: skl2onnx refuses it: {str(error)[:120]}")
            return name, None, {}

    yield fit("scaler_gbt_regressor", make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=20, max_depth=3, random_state=1)), y)
    yield fit("scaler_gbt_three", make_pipeline(StandardScaler(), GradientBoostingClassifier(n_estimators=8, max_depth=3, random_state=1)), three)
    yield fit("gbt_binary", GradientBoostingClassifier(n_estimators=10, max_depth=3, random_state=1), two)
    yield fit("gbt_binary_nozipmap", GradientBoostingClassifier(n_estimators=5, max_depth=2, random_state=1), two, options={"zipmap": False})
    yield fit("forest_binary", RandomForestClassifier(n_estimators=10, max_depth=4, random_state=1), two)
    yield fit("forest_words", RandomForestClassifier(n_estimators=6, max_depth=4, random_state=1), words)
    yield fit("forest_regressor", RandomForestRegressor(n_estimators=6, max_depth=4, random_state=1), y)
    yield fit("extra_trees_two_targets", ExtraTreesRegressor(n_estimators=4, max_depth=4, random_state=1), np.stack([y, -y * 0.5], 1))
    yield fit("tree_classifier", DecisionTreeClassifier(max_depth=4, random_state=1), three)
    yield fit("tree_regressor", DecisionTreeRegressor(max_depth=4, random_state=1), y)
    yield fit("isolation_forest", IsolationForest(n_estimators=8, random_state=1, max_samples=32), None)
    yield fit("svc_binary", make_pipeline(StandardScaler(), SVC(random_state=1)), two)
    yield fit("svc_binary_probability", SVC(probability=True, random_state=1, gamma=0.05), two)
    yield fit("svc_three", make_pipeline(StandardScaler(), SVC(kernel="poly", degree=2, random_state=1)), three)
    yield fit("svc_three_probability", make_pipeline(StandardScaler(), SVC(probability=True, random_state=1)), words)
    yield fit("nu_svc_sigmoid", make_pipeline(StandardScaler(), NuSVC(kernel="sigmoid", nu=0.3, random_state=1)), two)
    yield fit("linear_svc", make_pipeline(StandardScaler(), LinearSVC(random_state=1, max_iter=5000)), three)
    yield fit("svr", make_pipeline(StandardScaler(), SVR()), y)
    yield fit("one_class_svm", make_pipeline(StandardScaler(), OneClassSVM(nu=0.1)), None)
    yield fit("kmeans", KMeans(4, n_init=2, random_state=1), None)
    yield fit("scaler_kmeans", make_pipeline(StandardScaler(), KMeans(4, n_init=2, random_state=1)), None)
    yield fit("logistic_binary", LogisticRegression(max_iter=500), two)
    yield fit("logistic_words", make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)), words)
    yield fit("sgd", make_pipeline(StandardScaler(), SGDClassifier(random_state=1)), three)
    yield fit("linear_regression", LinearRegression(), y)
    yield fit("ridge_two_targets", Ridge(), np.stack([y, y * 2], 1))
    yield fit("robust_normalizer", make_pipeline(RobustScaler(), Normalizer("l2"), Ridge()), y)
    yield fit("normalizer_l1", make_pipeline(Normalizer("l1"), Ridge()), y)
    yield fit("normalizer_max", make_pipeline(Normalizer("max"), Ridge()), y)
    yield fit("minmax_maxabs", make_pipeline(MinMaxScaler(), MaxAbsScaler(), Ridge()), y)
    yield fit("binarizer", make_pipeline(Binarizer(threshold=0.2), DecisionTreeRegressor(max_depth=3, random_state=1)), y)
    yield fit("mlp_classifier", make_pipeline(StandardScaler(), MLPClassifier(hidden_layer_sizes=(8,), random_state=1, max_iter=60)), words)
    yield fit("mlp_regressor", make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(8, 4), random_state=1, max_iter=60)), y)
    yield fit("pca_ridge", make_pipeline(StandardScaler(), PCA(3, random_state=1), Ridge()), y)
    yield fit("polynomial", make_pipeline(PolynomialFeatures(2), Ridge()), y)
    yield fit("naive_bayes", GaussianNB(), three)
    yield fit("bins", make_pipeline(KBinsDiscretizer(4, encode="ordinal"), DecisionTreeRegressor(max_depth=3, random_state=1)), y)

    holes = X.copy()
    holes[random.random(X.shape) < 0.2] = np.nan
    imputed = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), Ridge()).fit(holes, y)
    yield "imputer", converted(imputed, floats()), {"x": holes[:ROWS]}

    mixed = ColumnTransformer([("kind", OneHotEncoder(handle_unknown="ignore"), [0])])
    pipe = make_pipeline(mixed, RandomForestClassifier(n_estimators=4, max_depth=3, random_state=1)).fit(kinds.reshape(-1, 1), words)
    unknown = np.concatenate([kinds[:ROWS - 1], ["crane"]]).reshape(-1, 1).astype(object)
    yield "one_hot_text", converted(pipe, [("kind", StringTensorType([None, 1]))]), {"kind": unknown}
    hot = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()).fit(sites.reshape(-1, 1), y)
    yield "one_hot_numbers", converted(hot, [("site", Int64TensorType([None, 1]))]), {"site": np.append(sites[:ROWS - 1], 9).reshape(-1, 1)}
    ordinal = make_pipeline(OrdinalEncoder(), DecisionTreeRegressor(max_depth=3, random_state=1)).fit(kinds.reshape(-1, 1), y)
    yield "ordinal_text", converted(ordinal, [("kind", StringTensorType([None, 1]))]), {"kind": kinds[:ROWS].reshape(-1, 1).astype(object)}


def single(name, op, inputs, outputs, feeds, domain="ai.onnx.ml", opset=3, **attributes):
    """Returns the case of one operator."""
    node = helper.make_node(op, [i[0] for i in inputs], [o[0] for o in outputs], name=name, domain=domain, **attributes)
    graph = helper.make_graph([node], name, [helper.make_tensor_value_info(*i) for i in inputs],
                              [helper.make_tensor_value_info(*o) for o in outputs])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", opset)]
    return name, helper.make_model(graph, opset_imports=opsets, ir_version=9), feeds


def stumps(weights, classes, ids):
    """Returns the attributes of trees of one branch with these weights of the two leaves."""
    count = len(weights)
    return dict(
        nodes_treeids=[t for t in range(count) for _ in range(3)], nodes_nodeids=[0, 1, 2] * count,
        nodes_featureids=[0, 0, 0] * count, nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * count,
        nodes_values=[v for t in range(count) for v in (t * 0.5 - 0.5, 0.0, 0.0)],
        nodes_truenodeids=[1, 0, 0] * count, nodes_falsenodeids=[2, 0, 0] * count,
        class_treeids=[t for t in range(count) for _ in range(2)], class_nodeids=[1, 2] * count,
        class_ids=ids, class_weights=[w for pair in weights for w in pair], classlabels_int64s=classes)


def operators():
    """Yields the cases of operators that skl2onnx rarely or never writes, and of their odd corners."""
    F, I, S, D = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING, TensorProto.DOUBLE
    x = np.array([[-1.0], [-0.5], [-0.2], [0.0], [0.3], [0.5], [0.7], [np.nan]], np.float32)
    both = [("label", I, ["n"]), ("scores", F, ["n", None])]
    column = [("x", F, ["n", 1])]
    for transform in ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"]:
        # After a probit the second score is whatever was in memory.
        for sign, weights in [] if transform == "PROBIT" else [("mixed", [(-0.6, 0.4), (0.2, 0.1), (-0.1, 0.7)]), ("positive", [(0.1, 0.4), (0.2, 0.1), (0.1, 0.3)])]:
            for base in [[], [0.1], [0.1, 0.1]]:
                attributes = stumps(weights, [3, 4], [0] * 6)
                if base:
                    attributes["base_values"] = base
                yield single(f"op_trees_one_{sign}_{transform.lower()}_{len(base)}", "TreeEnsembleClassifier", column, both, {"x": x},
                             post_transform=transform, **attributes)
            for base in [[], [0.1, -0.2]]:
                attributes = stumps(weights, [3, 4], [0, 1] * 3)
                if base:
                    attributes["base_values"] = base
                yield single(f"op_trees_two_{sign}_{transform.lower()}_{len(base)}", "TreeEnsembleClassifier", column, both, {"x": x},
                             post_transform=transform, **attributes)
        attributes = stumps([(-0.6, 0.4), (0.2, 0.1), (-0.1, 0.7)], [3, 4, 5], [0, 1, 2, 0, 1, 2])
        yield single(f"op_trees_three_{transform.lower()}", "TreeEnsembleClassifier", column, both, {"x": x}, post_transform=transform, **attributes)
        for count in [1, 3][transform == "PROBIT":]:
            labels = [7, 8] if count == 1 else [7, 8, 9]
            yield single(f"op_linear_{count}_{transform.lower()}", "LinearClassifier", column, both, {"x": x[:-1]}, post_transform=transform,
                         coefficients=[1.5, -0.5, 0.3][:count], intercepts=[0.1, 0.2, -0.3][:count], classlabels_ints=labels)
    for function in ["SUM", "AVERAGE", "MIN", "MAX"]:
        attributes = stumps([(-0.6, 0.4), (0.2, 0.1), (-0.1, 0.7)], [0], [0] * 6)
        for old, new in [("class_treeids", "target_treeids"), ("class_nodeids", "target_nodeids"), ("class_ids", "target_ids"), ("class_weights", "target_weights")]:
            attributes[new] = attributes.pop(old)
        del attributes["classlabels_int64s"]
        yield single(f"op_trees_{function.lower()}", "TreeEnsembleRegressor", column, [("y", F, ["n", 1])], {"x": x},
                     aggregate_function=function, n_targets=1, base_values=[0.25], **attributes)
        attributes["target_ids"] = [0, 1, 1, 0, 0, 1]
        yield single(f"op_trees_{function.lower()}_two", "TreeEnsembleRegressor", column, [("y", F, ["n", 2])], {"x": x},
                     aggregate_function=function, n_targets=2, base_values=[0.25, -1.0], **attributes)
    for mode in ["LT", "GTE", "GT", "EQ", "NEQ"]:
        attributes = stumps([(-0.6, 0.4), (0.2, 0.1), (-0.1, 0.7)], [3, 4, 5], [0, 1, 2, 0, 1, 2])
        attributes["nodes_modes"] = [m.replace("LEQ", mode) for m in attributes["nodes_modes"]]
        attributes["nodes_missing_value_tracks_true"] = [1, 0, 0] * 3
        yield single(f"op_trees_branch_{mode.lower()}", "TreeEnsembleClassifier", column, both, {"x": x}, **attributes)
    text = np.array([["a"], ["b"], ["z"]], object)
    yield single("op_label_encoder_text", "LabelEncoder", [("x", S, ["n", 1])], [("y", I, ["n", 1])], {"x": text}, opset=2,
                 keys_strings=["a", "b"], values_int64s=[5, 6], default_int64=-3)
    yield single("op_label_encoder_back", "LabelEncoder", [("x", I, ["n"])], [("y", S, ["n"])], {"x": np.array([5, 6, 7])}, opset=2,
                 keys_int64s=[5, 6], values_strings=["a", "b"], default_string="?")
    yield single("op_label_encoder_floats", "LabelEncoder", column, [("y", F, ["n", 1])], {"x": x}, opset=2,
                 keys_floats=[0.5, float("nan")], values_floats=[5.5, 1.25], default_float=-1.0)
    yield single("op_label_encoder_classes", "LabelEncoder", [("x", S, ["n", 1])], [("y", I, ["n", 1])], {"x": text}, opset=1,
                 classes_strings=["b", "a"], default_int64=-7)
    yield single("op_category_mapper", "CategoryMapper", [("x", S, ["n", 1])], [("y", I, ["n", 1])], {"x": text},
                 cats_strings=["a", "b"], cats_int64s=[5, 6], default_int64=-3)
    yield single("op_one_hot", "OneHotEncoder", [("x", I, ["n", 1])], [("y", F, ["n", 1, 3])], {"x": np.array([[1], [3], [4]])},
                 cats_int64s=[1, 2, 3], zeros=1)
    yield single("op_one_hot_text", "OneHotEncoder", [("x", S, ["n"])], [("y", F, ["n", 2])], {"x": text[:2, 0]}, cats_strings=["a", "b"], zeros=0)
    wide = np.array([[1.0, -2.0, 3.0], [0.0, 0.0, 0.0], [-4.0, 0.5, 0.25]], np.float32)
    three_columns = [("x", F, ["n", 3])]
    for norm in ["MAX", "L1", "L2"]:
        yield single(f"op_normalizer_{norm.lower()}", "Normalizer", three_columns, [("y", F, ["n", 3])], {"x": wide}, norm=norm)
    yield single("op_scaler_one", "Scaler", three_columns, [("y", F, ["n", 3])], {"x": wide}, offset=[0.5], scale=[2.0])
    yield single("op_scaler_integers", "Scaler", [("x", I, ["n", 2])], [("y", F, ["n", 2])], {"x": np.array([[1, -2], [30000000, 4]])}, offset=[0.5, 1.0], scale=[2.0, 0.1])
    yield single("op_imputer", "Imputer", three_columns, [("y", F, ["n", 3])], {"x": wide}, imputed_value_floats=[9.0, 8.0, 7.0], replaced_value_float=0.0)
    yield single("op_imputer_integers", "Imputer", [("x", I, ["n", 2])], [("y", I, ["n", 2])], {"x": np.array([[1, -2], [3, 4]])}, imputed_value_int64s=[9], replaced_value_int64=-2)
    yield single("op_extractor", "ArrayFeatureExtractor", [("x", F, ["n", 3]), ("i", I, [2])], [("y", F, ["n", 2])], {"x": wide, "i": np.array([2, 0])})
    yield single("op_vectorizer", "FeatureVectorizer", [("x", F, ["n", 3]), ("i", F, ["n", 1])], [("y", F, ["n", 4])],
                 {"x": wide, "i": np.array([[5.0], [6.0], [7.0]], np.float32)}, opset=1, inputdimensions=[3, 1])
    yield single("op_svm_regressor_one_class", "SVMRegressor", three_columns, [("y", F, ["n", 1])], {"x": wide}, opset=1, kernel_type="RBF",
                 kernel_params=[0.3, 0.0, 0.0], support_vectors=[1.0, 0.0, -1.0, 0.5, 0.5, 0.5], coefficients=[0.7, -0.4], rho=[-0.1], n_supports=2, one_class=1)
    yield single("op_svm_regressor_linear", "SVMRegressor", three_columns, [("y", F, ["n", 1])], {"x": wide}, opset=1,
                 kernel_params=[0.0, 0.0, 3.0], coefficients=[0.7, -0.4, 0.1], rho=[-0.1], n_supports=0)
    yield single("op_svm_classifier_linear", "SVMClassifier", three_columns, both, {"x": wide}, opset=1,
                 coefficients=[0.7, -0.4, 0.1, 0.2, 0.3, -0.4, 0.0, 0.1, 0.2], rho=[-0.1], classlabels_ints=[1, 2, 3])
    for transform in ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"]:
        yield single(f"op_svm_classifier_{transform.lower()}", "SVMClassifier", three_columns, both, {"x": wide}, opset=1, kernel_type="RBF",
                     kernel_params=[0.3, 0.0, 0.0], support_vectors=[1.0, 0.0, -1.0, 0.5, 0.5, 0.5], coefficients=[0.7, -0.4], rho=[-0.1],
                     vectors_per_class=[1, 1], classlabels_ints=[1, 2], post_transform=transform)
        yield single(f"op_linear_regressor_{transform.lower()}", "LinearRegressor", three_columns, [("y", F, ["n", 2])], {"x": wide}, opset=1,
                     coefficients=[0.7, -0.4, 0.1, 0.2, 0.3, -0.4], intercepts=[0.5, -0.5], targets=2, post_transform=transform)
    yield single("op_binarizer", "Binarizer", three_columns, [("y", F, ["n", 3])], {"x": wide}, threshold=0.4)


def line(kind, name, array):
    if array.dtype == object or array.dtype.kind in "US":
        element, texts = "text", [urllib.parse.quote(str(v), safe="") or "%" for v in array.ravel()]
    elif array.dtype.kind == "f":
        element = f"f{8 * array.dtype.itemsize}"
        texts = ["nan" if np.isnan(v) else float(v).hex() for v in array.ravel()]
    else:
        element, texts = {"int64": "i64", "int32": "i32", "bool": "bool", "uint8": "u8"}[str(array.dtype)], [str(int(v)) for v in array.ravel()]
    return " ".join([kind, name, element, ",".join(map(str, array.shape)) or "-"] + texts)


def columns(answer):
    """Returns a list of maps as the matrix of their values, in the order of their keys."""
    if isinstance(answer, list):
        return np.array([[row[key] for key in answer[0]] for row in answer], np.float32)
    return np.asarray(answer)


def main():
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "cases.txt"
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    lines = []
    for name, model, feeds in [*pipelines(), *operators()]:
        if model is None:
            continue
        data = model.SerializeToString()
        try:
            session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
            answers = session.run(None, feeds)
        except Exception as error:
            print(f"{name}: onnxruntime refuses it: {str(error)[:120]}")
            continue
        lines += [f"case {name}", "model " + base64.b64encode(data).decode()]
        lines += [line("in", key, np.asarray(value)) for key, value in feeds.items()]
        lines += [line("out", out.name, columns(answer)) for out, answer in zip(session.get_outputs(), answers)]
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
