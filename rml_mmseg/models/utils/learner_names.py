"""Names of students and teachers."""

ENSEMBLE = 'ensemble'


def learner_names(count: int) -> list[str]:
    """Names that can predict: ``count`` learners and the ensemble."""
    return [
        *(f'students.{i}' for i in range(count)),
        *(f'teachers.{i}' for i in range(count)),
        ENSEMBLE,
    ]


def prediction_key(name: str) -> str:
    """Field of a data sample that holds a learner's prediction."""
    return f'pred_{name.replace(".", "_")}'
