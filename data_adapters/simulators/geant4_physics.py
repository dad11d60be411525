"""Geant4 processes from models whose parameters are compiled in.

gamma: photoelectric (Sandia tables), Compton (Klein-Nishina), conversion (Bethe-Heitler 5D; with LPM above 80 GeV).
e-, e+: Urban multiple scattering, ionisation (Møller-Bhabha), bremsstrahlung (relativistic model with LPM at all
energies, none below 1 MeV electron energy), annihilation.
Hadrons: ionisation, multiple scattering, FTFP + Bertini cascade, Barashenkov-Glauber-Gribov cross sections, elastic
scattering; no neutron capture, no radioactive decay.

Left out, because it reads data files: Seltzer-Berger tables, Livermore photoelectric effect, Rayleigh scattering,
fluorescence.
"""

from __future__ import annotations

import ctypes
from typing import Any

from data_adapters.simulators import geant4 as g4
from data_adapters.simulators.geant4 import NAME, Pointer, constructor, cpp_string, create, method, particle

PARTICLE_AND_NAME = "EPK20G4ParticleDefinitionRK8G4String"
NAME_AND_TYPE = "ERK8G4String13G4ProcessType"
NAME_AND_PARTICLE = "ERK8G4StringPK20G4ParticleDefinition"
PARTICLE = "EPK20G4ParticleDefinition"
NOTHING = "Ev"

SET_DISCRETE_MODEL = method("G4VEmProcess", "10SetEmModelEP10G4VEmModeli")
SET_LOSS_MODEL = method("G4VEnergyLossProcess", "10SetEmModelEP10G4VEmModeli")
SET_SCATTERING_MODEL = method("G4VMultipleScattering", "10SetEmModelEP11G4VMscModeli")
GET_HELPER = method("G4PhysicsListHelper", "20GetPhysicsListHelperEv")
REGISTER_PROCESS = method("G4PhysicsListHelper", "15RegisterProcessEP10G4VProcessP20G4ParticleDefinition")
ADD_CROSS_SECTION = method("G4HadronicProcess", "10AddDataSetEP22G4VCrossSectionDataSet")
ADD_MODEL = method("G4HadronicProcess", "10RegisterMeEP21G4HadronicInteraction")
PREPARE_EM = method("G4EmBuilder", "16PrepareEMPhysicsEv")
CHARGED_EM = method("G4EmBuilder", "16ConstructChargedEP21G4hMultipleScatteringP17G4NuclearStoppingb")
KAON_ELASTIC = method("G4HadronicBuilder", "12BuildElasticERKSt6vectorIiSaIiEE")
MODEL_REGISTRY = method("G4HadronicInteractionRegistry", "8InstanceEv")
FIND_MODEL = method("G4HadronicInteractionRegistry", "9FindModelERK8G4String")
BUILD_BERTINI = method("G4BertiniNeutronBuilder", "5BuildEP24G4HadronInelasticProcess")
FTFP_BERT = "G4HadronPhysicsFTFP_BERT"
FTFP_BERT_STEPS = tuple(method(FTFP_BERT, f"{step}Ev") for step in ("4Pion", "4Kaon", "6Proton", "6Others"))

REQUIRED_SYMBOLS = (
    SET_DISCRETE_MODEL,
    SET_LOSS_MODEL,
    SET_SCATTERING_MODEL,
    GET_HELPER,
    REGISTER_PROCESS,
    ADD_CROSS_SECTION,
    ADD_MODEL,
    PREPARE_EM,
    CHARGED_EM,
    KAON_ELASTIC,
    MODEL_REGISTRY,
    FIND_MODEL,
    BUILD_BERTINI,
    *FTFP_BERT_STEPS,
    constructor("G4PhotoElectricEffect", NAME_AND_TYPE),
    constructor("G4PEEffectFluoModel", NAME),
    constructor("G4ComptonScattering", NAME_AND_TYPE),
    constructor("G4KleinNishinaModel", NAME),
    constructor("G4GammaConversion", NAME_AND_TYPE),
    constructor("G4eMultipleScattering", NAME),
    constructor("G4UrbanMscModel", NAME),
    constructor("G4eIonisation", NAME),
    constructor("G4eBremsstrahlung", NAME),
    constructor("G4eBremsstrahlungRelModel", PARTICLE_AND_NAME),
    constructor("G4eplusAnnihilation", NAME),
    constructor("G4hMultipleScattering", NAME),
    constructor("G4ionIonisation", NAME),
    constructor(FTFP_BERT, "Ei"),
    constructor("G4HadronInelasticProcess", NAME_AND_PARTICLE),
    constructor("G4BertiniNeutronBuilder", NOTHING),
    constructor("G4BGGNucleonInelasticXS", PARTICLE),
    constructor("G4HadronElasticProcess", NAME),
    constructor("G4HadronElastic", NAME),
    constructor("G4BGGNucleonElasticXS", PARTICLE),
    constructor("G4BGGPionElasticXS", PARTICLE),
)

ELECTROMAGNETIC = ctypes.c_int(2)  # G4ProcessType::fElectromagnetic
FIRST, SECOND = ctypes.c_int(0), ctypes.c_int(1)
NULL = Pointer(0)

NUCLEON_ELASTIC, PION_ELASTIC = "G4BGGNucleonElasticXS", "G4BGGPionElasticXS"
ELASTIC_CROSS_SECTION = {
    "G4Neutron": NUCLEON_ELASTIC,
    "G4Proton": NUCLEON_ELASTIC,
    "G4PionPlus": PION_ELASTIC,
    "G4PionMinus": PION_ELASTIC,
}
KAON_CODES = (321, -321, 310, 130)


def electromagnetic_physics() -> Any:
    """Physics list for showers of photons, electrons and positrons.

    Raises: MissingSimulator.
    """
    return _physics_list()


def hadronic_physics(*more: Any) -> Any:
    """Physics list for all particles, with further constructors (such as G4StepLimiterPhysics).

    Raises: MissingSimulator.
    """
    geant4 = g4.load()
    return _physics_list(
        geant4.G4DecayPhysics(),  # makes the particles
        _constructor("DataFreeHadrons", (), (_hadron_electromagnetic, _inelastic, _elastic)),
        geant4.G4StoppingPhysics(),
        geant4.G4NeutronTrackingCut(),
        *more,
    )


def _physics_list(*more: Any) -> Any:
    geant4 = g4.load()
    g4.check_symbols(REQUIRED_SYMBOLS)
    particles = (geant4.G4Gamma.Gamma, geant4.G4Electron.Electron, geant4.G4Positron.Positron, geant4.G4Proton.Proton)
    physics_list = geant4.G4VModularPhysicsList()
    for part in (_constructor("DataFreeEm", particles, (_photon, _electrons)), *more):
        physics_list.RegisterPhysics(part)
        g4.keep_alive(part)
    return physics_list


def _constructor(name: str, particles: tuple[Any, ...], processes: tuple[Any, ...]) -> Any:
    class Constructor(g4.load().G4VPhysicsConstructor):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(name)

        def ConstructParticle(self) -> None:  # noqa: N802
            for make in particles:
                make()

        def ConstructProcess(self) -> None:  # noqa: N802
            for make in processes:
                make()

    return Constructor()


def _register(process: Pointer, to: Pointer) -> None:
    helper = Pointer(g4.call(GET_HELPER, ctypes.c_void_p))
    registered = g4.call(REGISTER_PROCESS, ctypes.c_bool, helper, process, to)
    assert registered, "Geant4 refused to register a process"


def _photon() -> None:
    photoelectric = create("G4PhotoElectricEffect", NAME_AND_TYPE, cpp_string("phot"), ELECTROMAGNETIC)
    sandia = create("G4PEEffectFluoModel", NAME, cpp_string("PhotoElectric"))
    g4.call(SET_DISCRETE_MODEL, None, photoelectric, sandia, FIRST)
    compton = create("G4ComptonScattering", NAME_AND_TYPE, cpp_string("compt"), ELECTROMAGNETIC)
    klein_nishina = create("G4KleinNishinaModel", NAME, cpp_string("Klein-Nishina"))
    g4.call(SET_DISCRETE_MODEL, None, compton, klein_nishina, FIRST)
    conversion = create("G4GammaConversion", NAME_AND_TYPE, cpp_string("conv"), ELECTROMAGNETIC)
    for process in (photoelectric, compton, conversion):
        _register(process, particle("G4Gamma"))


def _electrons() -> None:
    for name in ("G4Electron", "G4Positron"):
        _electron(particle(name))
    _register(create("G4eplusAnnihilation", NAME, cpp_string("annihil")), particle("G4Positron"))


def _electron(electron: Pointer) -> None:
    scattering = create("G4eMultipleScattering", NAME, cpp_string("msc"))
    urban = create("G4UrbanMscModel", NAME, cpp_string("UrbanMsc"))
    g4.call(SET_SCATTERING_MODEL, None, scattering, urban, FIRST)
    ionisation = create("G4eIonisation", NAME, cpp_string("eIoni"))
    bremsstrahlung = create("G4eBremsstrahlung", NAME, cpp_string("eBrem"))
    for slot in (FIRST, SECOND):  # the first replaces the low-energy model, which needs Seltzer-Berger tables
        relativistic = create("G4eBremsstrahlungRelModel", PARTICLE_AND_NAME, NULL, cpp_string("eBremLPM"))
        g4.call(SET_LOSS_MODEL, None, bremsstrahlung, relativistic, slot)
    for process in (scattering, ionisation, bremsstrahlung):
        _register(process, electron)


def _hadron_electromagnetic() -> None:
    g4.call(PREPARE_EM, None)
    ion = particle("G4GenericIon")
    scattering = create("G4hMultipleScattering", NAME, cpp_string("ionmsc"))
    _register(scattering, ion)
    _register(create("G4ionIonisation", NAME, cpp_string("ionIoni")), ion)
    g4.call(CHARGED_EM, None, scattering, NULL, ctypes.c_bool(False))


def _inelastic() -> None:
    ftfp_bert = create(FTFP_BERT, "Ei", ctypes.c_int(0))
    for step in FTFP_BERT_STEPS:
        g4.call(step, None, ftfp_bert)
    neutron = particle("G4Neutron")
    process = create("G4HadronInelasticProcess", NAME_AND_PARTICLE, cpp_string("neutronInelastic"), neutron)
    g4.call(BUILD_BERTINI, None, create("G4BertiniNeutronBuilder", NOTHING), process)
    registry = Pointer(g4.call(MODEL_REGISTRY, ctypes.c_void_p))
    ftfp = g4.call(FIND_MODEL, ctypes.c_void_p, registry, cpp_string("FTFP"))  # the one that protons have
    assert ftfp, "the FTFP model was not found"
    g4.call(ADD_MODEL, None, process, Pointer(ftfp))
    g4.call(ADD_CROSS_SECTION, None, process, create("G4BGGNucleonInelasticXS", PARTICLE, neutron))
    _register(process, neutron)


def _elastic() -> None:
    for name, cross_section in ELASTIC_CROSS_SECTION.items():
        hadron = particle(name)
        process = create("G4HadronElasticProcess", NAME, cpp_string("hadElastic"))
        g4.call(ADD_MODEL, None, process, create("G4HadronElastic", NAME, cpp_string("hElasticLHEP")))
        g4.call(ADD_CROSS_SECTION, None, process, create(cross_section, PARTICLE, hadron))
        _register(process, hadron)
    g4.call(KAON_ELASTIC, None, g4.cpp_vector_of_int(KAON_CODES))
