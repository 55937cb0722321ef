//! A course in a box: expectations in sources, quizzes, grading, and the replay of course labs.
