-- What changed of trajectories that are not finished: statistics bring themselves up to date with it. Of finished ones
-- trajectories_by_lake_offset tells. No column of it changes while a trajectory grows, so that its updates stay cheap.
create index trajectories_unfinished on trajectories (run_id, trajectory_id) where finished_offset is null;
