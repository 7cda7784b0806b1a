from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from reconstruction_operator.models import registry
from reconstruction_operator.models.interface import Model, ModelFailure, Step


@pytest.mark.parametrize("name", registry.available())
def test_every_available_model_implements_the_interface(name: str) -> None:
    model = registry.find(name)
    assert isinstance(model, Model)
    assert model.name == name
    assert set(model.step_shares) == set(Step)
    assert sum(model.step_shares.values()) == pytest.approx(1.0)


def test_an_unknown_model_is_refused_with_the_known_names() -> None:
    with pytest.raises(ModelFailure, match=r"'photogrametry'.*photogrammetry, placeholder, reconviagen"):
        registry.find("photogrametry")


def test_a_models_own_version_counts_before_that_of_its_package(rough_models: Path) -> None:
    assert registry.version("placeholder") == "1"
    assert registry.version("rough-good") == "1.0"


def test_the_version_of_a_model_of_another_package_is_added(
    rough_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = registry.find("rough-good")
    base = type("Engine", (), {"name": "engine", "version": "10", "__module__": "engine.model"})
    inherits = type("Depths", (type(model), base), {"__module__": "rough_models"})
    states = type("Depths", (type(model), base), {"__module__": "rough_models", "version": "3"})

    monkeypatch.setattr(registry, "find", lambda _: inherits())
    assert registry.version("rough-good") == "1.0+engine-10"
    monkeypatch.setattr(registry, "find", lambda _: states())
    assert registry.version("rough-good") == "3+engine-10"


def test_versions_name_python_the_models_package_and_those_it_computes_with() -> None:
    assert set(registry.versions("placeholder")) == {"python", "reconstruction-operator"}
    versions = registry.versions("photogrammetry")
    assert {"python", "reconstruction-operator", "pycolmap", "numpy"} <= set(versions)
    assert all(text[0].isdigit() for text in versions.values())


def test_a_model_that_cannot_be_loaded_does_not_affect_others(rough_models: Path) -> None:
    with pytest.raises(registry.UnavailableModelError, match="rough_models:DoesNotExist cannot be loaded"):
        registry.find("rough-broken")
    assert "rough-broken" in registry.names()
    assert "rough-broken" not in registry.available()
    assert "placeholder" in registry.available()


def test_finding_models_imports_no_native_library() -> None:
    code = (
        "import sys; from reconstruction_operator.models import registry; registry.available();"
        "print([name for name in ('numpy', 'cv2', 'pycolmap', 'PIL', 'scipy', 'trimesh', 'embreex', 'torch') if name "
        "in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"
