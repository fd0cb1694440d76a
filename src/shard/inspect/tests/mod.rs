mod explain;
mod listings;
mod scene;
