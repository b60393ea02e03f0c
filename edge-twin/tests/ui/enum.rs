use edge_twin::typed::TwinProperties;

#[derive(Clone, PartialEq, TwinProperties)]
enum Mode {
    Day,
    Night,
}

fn main() {}
