use super::{World, document};
use crate::rollout::prometheus;

#[test]
fn everything_that_is_counted_is_told() {
    let mut world = World::with_first();
    let wanted = document(&world.files, "2", "2.1");
    world.desire(&wanted);
    world.tick();
    (0..30).for_each(|_| drop(world.ask()));
    let metrics = world.life.metrics();
    let text = prometheus(std::slice::from_ref(&metrics));
    for line in [
        "edge_ml_version_status{model=\"m\",version=\"1\",status=\"current\"} 1",
        "edge_ml_version_status{model=\"m\",version=\"2\",status=\"shadow\"} 1",
        "edge_ml_compared_total{model=\"m\",version=\"2\"} 30",
        "edge_ml_rolled_back{model=\"m\"} 0",
        "edge_ml_batch_rows{model=\"m\",version=\"1\",quantile=\"0.99\"} 1",
        "edge_ml_unanswered_total{model=\"m\"} 0",
    ] {
        assert!(text.lines().any(|there| there == line), "{line}\n{text}");
    }
    let divergence = metrics.versions[1].evidence.divergence.mean;
    assert!((0.02..0.06).contains(&divergence), "{divergence}");
    assert_eq!(metrics.inputs.len(), 2);
    let wellformed = |line: &&str| {
        line.starts_with("# ") || line.rsplit_once(' ').is_some_and(|(_, n)| n.parse::<f64>().is_ok())
    };
    assert!(text.lines().all(|line| wellformed(&line)), "{text}");
}

#[test]
fn errors_are_told_by_cause() {
    let mut world = World::with_first();
    let wrong = crate::Tensor::new([3], vec![1.0f32; 3]).unwrap();
    assert!(world.serving.run("d", &[wrong.view()]).is_err());
    world.ask();
    let text = prometheus(&[world.life.metrics()]);
    assert!(text.contains("edge_ml_errors_total{model=\"m\",version=\"1\",cause=\"input\"} 1\n"), "{text}");
}

#[test]
fn the_status_of_each_version_is_told() {
    let mut world = World::with_first();
    let wanted = document(&world.files, "2", "2.1");
    world.desire(&wanted);
    world.settle();
    let rejected = document(&world.files, "3", "2 fails");
    world.desire(&rejected);
    world.settle();
    let mut waiting = document(&world.files, "4", "2.2");
    waiting["file"] = "/nowhere".into();
    world.desire(&waiting);
    world.tick();
    let told = world.life.metrics().statuses;
    let told: Vec<_> = told.iter().map(|(version, status)| (version.as_str(), *status)).collect();
    assert_eq!(told, [("1", "installed"), ("2", "current"), ("3", "rejected"), ("4", "fetch")]);
    let text = prometheus(&[world.life.metrics()]);
    let line = "edge_ml_version_status{model=\"m\",version=\"4\",status=\"fetch\"} 1\n";
    assert!(text.contains(line), "{text}");
}
