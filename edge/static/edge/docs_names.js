/* SPDX-FileCopyrightText: 2026 Metadata Center contributors
 * SPDX-License-Identifier: Apache-2.0
 *
 * A plugin of Swagger UI that mends what its markup lacks for screen readers and keyboards: a name for each field, one
 * id for one element, and no link inside a button.
 */

/** Return the plugin: components in place of Swagger UI's own, or around them. */
export function accessibleNames({ React }) {
  return {
    components: { DeepLink: wordsOf(React) },
    wrapComponents: {
      JsonSchemaForm: (Original) => mended(React, Original, nameFields),
      RequestBodyEditor: (Original) => mended(React, Original, nameFields),
      apiKeyAuth: (Original) => mended(React, Original, tellApart),
      HttpAuth: (Original) => mended(React, Original, tellApart),
      authorizationPopup: (Original) => mended(React, Original, nameDialog),
      contentType: (Original) => ownId(React, Original),
    },
  };
}

/** The path of a call and the name of a group are words in a button. The address follows what is unfolded anyway. */
function wordsOf(React) {
  return ({ text }) => React.createElement("span", null, text);
}

/** A component whose elements are mended each time that it has drawn them. `mend` takes the element around it. */
function mended(React, Original, mend) {
  return class Mended extends React.Component {
    constructor(props) {
      super(props);
      this.place = React.createRef();
    }

    componentDidMount() {
      mend(this.place.current, this.props);
    }

    componentDidUpdate() {
      mend(this.place.current, this.props);
    }

    render() {
      return React.createElement("div", { ref: this.place }, React.createElement(Original, this.props));
    }
  };
}

/** Give each field without a label a name: its parameter's, or else what a call's body is. */
function nameFields(place, { description }) {
  for (const field of place.querySelectorAll("input, select, textarea")) {
    if (!field.labels.length) field.ariaLabel = description || "Request body";
  }
}

/** Make the ids of a key's form differ from those of the other keys' forms. */
function tellApart(place, { name }) {
  for (const field of place.querySelectorAll("input[id]")) {
    const label = field.labels[0];
    if (field.id.endsWith(name) || !label) continue;
    field.id = label.htmlFor = `${field.id}-${name}`;
  }
}

/** Say what the dialog for keys is, and what its cross does. */
function nameDialog(place) {
  const dialog = place.querySelector(".modal-ux");
  dialog.role = "dialog";
  dialog.ariaModal = "true";
  dialog.ariaLabel = "Keys for the calls";
  place.querySelector(".close-modal").ariaLabel = "Close";
}

/** The choice of a body's type has the id of the label around it: give it one of its own. */
function ownId(React, Original) {
  return (props) =>
    React.createElement(Original, { ...props, controlId: props.controlId && `${props.controlId}_choice` });
}
